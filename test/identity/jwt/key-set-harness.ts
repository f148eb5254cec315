// An authenticator over one real key-set endpoint; the test controls the clock of its cool-downs.
import { EventEmitter, on } from 'node:events';
import type { Test } from 'tap';
import type { JwtConfig } from '../../../src/config/config.ts';
import type { Authentication } from '../../../src/identity/authenticator.ts';
import { createJwtAuthenticator, type JwtAuthenticatorOptions } from '../../../src/identity/jwt/jwt-authenticator.ts';
import { KEY_SET_TIMING, type KeySetEvent } from '../../../src/identity/jwt/key-set.ts';
import { clientConfig, jwtConfig } from '../client-config.ts';
import { type IssuerServer, type IssuerServerOptions, startIssuerServer } from './issuer-server.ts';
import { goodClaims, type SigningKey, signJwt } from './signing-key.ts';

export interface KeySetHarness {
  readonly server: IssuerServer;
  readonly events: readonly KeySetEvent[];
  /** Advances the clock of cool-down and stale time. */
  advance(ms: number): void;
  /** A new token signed with this key. */
  freshToken(key: SigningKey, header?: Record<string, unknown>): string;
  present(rawToken: string): Promise<Authentication>;
  /** `authenticated`, or the reason for the refusal. */
  verdict(rawToken: string): Promise<string>;
  fetches(): number;
  /** Resolves with the next event of this type. */
  next(event: KeySetEvent['event']): Promise<KeySetEvent>;
  warm(): Promise<void>;
  close(): Promise<void>;
}

export interface HarnessOptions extends Partial<JwtAuthenticatorOptions> {
  readonly jwt?: (server: IssuerServer) => Partial<JwtConfig>;
  readonly server?: IssuerServerOptions;
}

/** Background fetches never happen on their own unless `timing` says so: their timers outlast any test. */
export async function createKeySetHarness(t: Test, options: HarnessOptions = {}): Promise<KeySetHarness> {
  const { jwt = (issuer: IssuerServer) => ({ jwksUrl: issuer.jwksUrl }), server: serverOptions, ...rest } = options;
  const server = await startIssuerServer(serverOptions);
  const events: KeySetEvent[] = [];
  const emitter = new EventEmitter();
  let clock = 0;
  let serial = 0;
  const authenticator = createJwtAuthenticator({
    clients: [clientConfig({ auth: { jwt: [jwtConfig({ issuer: server.issuer, ...jwt(server) })] } })],
    monotonicNow: () => clock,
    onEvent(event) {
      events.push(event);
      emitter.emit(event.event, event);
    },
    ...rest,
    timing: { retryMs: KEY_SET_TIMING.cooldownMs, ...rest.timing },
  });
  t.teardown(async () => {
    await authenticator.close();
    await server.close();
  });
  const present = async (rawToken: string) =>
    authenticator.authenticate({ rawToken, place: 'authorization', connection: null });

  return {
    server,
    events,
    advance(ms) {
      clock += ms;
    },
    freshToken(key, header) {
      serial += 1;
      return signJwt(key, { ...goodClaims(server.issuer), jti: String(serial) }, header);
    },
    present,
    async verdict(rawToken) {
      const answer = await present(rawToken);
      return 'reason' in answer ? answer.reason : answer.outcome;
    },
    fetches: () => server.requests.filter((path) => path === '/jwks').length,
    async next(event) {
      for await (const [happened] of on(emitter, event)) return happened;
      throw new Error('unreachable');
    },
    warm: () => authenticator.warm(),
    close: () => authenticator.close(),
  };
}
