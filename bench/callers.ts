// The users of an app: an issuer with its key set, and as many signed tokens as a workload needs.
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Algorithm = 'ES256' | 'RS256';
export const ISSUER = 'https://issuer.bench.test';
export const AUDIENCE = 'bench';

export interface Callers {
  readonly jwksUrl: string;
  /** Signs tokens that differ from all earlier ones; subjects cycle through `user-0` to `user-999`. */
  tokens(algorithm: Algorithm, count: number): readonly string[];
  close(): void;
}

const SUBJECTS = 1_000;
const LIFE_SECONDS = 24 * 3_600;

export async function createCallers(): Promise<Callers> {
  const pairs = {
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  };
  const algorithms: readonly Algorithm[] = ['ES256', 'RS256'];
  const keys = algorithms.map((alg) => ({
    ...pairs[alg].publicKey.export({ format: 'jwk' }),
    alg,
    kid: alg,
    use: 'sig',
  }));
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  let signed = 0;

  function token(alg: Algorithm, issuedAt: number): string {
    signed += 1;
    const claims = {
      iss: ISSUER,
      aud: AUDIENCE,
      sub: `user-${signed % SUBJECTS}`,
      jti: String(signed),
      iat: issuedAt,
      exp: issuedAt + LIFE_SECONDS,
      scope: 'speak listen',
    };
    const input = [{ alg, typ: 'JWT', kid: alg }, claims].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = sign('sha256', Buffer.from(input.join('.')), {
      key: pairs[alg].privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    return [...input, signature.toString('base64url')].join('.');
  }

  return {
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`, // a TCP listener has one
    tokens(algorithm, count) {
      const issuedAt = Math.floor(Date.now() / 1_000);
      return Array.from({ length: count }, () => token(algorithm, issuedAt));
    },
    close: () => server.close(),
  };
}
