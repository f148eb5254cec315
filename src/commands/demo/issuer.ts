// A stand-in for the identity provider of an app: it signs one user's session token and publishes its keys.
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface DemoIssuer {
  /** The `iss` of its tokens; OIDC discovery and the key set are below it. */
  readonly url: string;
  /** A user's session as an app would hold it: an ES256 JWT, good for ten minutes. */
  sessionToken(subject: string, audience: string): string;
  close(): Promise<void>;
}

export async function startDemoIssuer(): Promise<DemoIssuer> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keySet = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'demo', use: 'sig', alg: 'ES256' }] };
  let url = '';
  const server = createServer((request, response) => {
    const documents: Readonly<Record<string, unknown>> = {
      '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/keys` },
      '/keys': keySet,
    };
    const document = documents[request.url ?? ''];
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP listener has one

  return {
    get url() {
      return url;
    },
    sessionToken: (subject, audience) =>
      signedJwt(privateKey, { iss: url, aud: audience, sub: subject, scope: 'speak' }),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function signedJwt(key: KeyObject, claims: Readonly<Record<string, string>>): string {
  const now = Math.floor(Date.now() / 1000);
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'ES256', typ: 'JWT', kid: 'demo' })}.${encode({ ...claims, iat: now, exp: now + 600 })}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}
