// A broker for pages on one origin, whose users an issuer knows.
import type { Test } from 'tap';
import { startIssuerServer } from '../identity/jwt/issuer-server.ts';
import { createSigningKey, goodClaims, signJwt } from '../identity/jwt/signing-key.ts';
import { type RunningBroker, startRunningBroker } from './running-broker.ts';

export interface PageBroker extends RunningBroker {
  /** A session token of a user. */
  readonly session: string;
}

/** @param client further settings of the client app */
export async function startPageBroker(t: Test, origin: string, client: object = {}): Promise<PageBroker> {
  const issuer = await startIssuerServer();
  t.teardown(() => issuer.close());
  const key = createSigningKey();
  issuer.publish(key.jwk);
  const running = await startRunningBroker(t, {
    env: { TOKEN_SIGNING_SECRET: 'a-secret-for-this-test-only-of-32-bytes-and-more' },
    file: () => ({
      clients: {
        web: {
          auth: { jwt: [{ issuer: issuer.issuer, audience: 'voice', jwks_url: issuer.jwksUrl }] },
          delivery: 'proxied',
          origins: [origin],
          ...client,
        },
      },
    }),
  });
  return { ...running, session: signJwt(key, goodClaims(issuer.issuer)) };
}
