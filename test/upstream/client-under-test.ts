// A token client for one test, with the settings that most tests want and a record of its events.
import { inspect } from 'node:util';
import type { Test } from 'tap';
import type { Config } from '../../src/config/config.ts';
import { Secret } from '../../src/config/secret.ts';
import { Problem } from '../../src/errors/problems.ts';
import {
  createTokenClient,
  type TokenClient,
  type TokenClientSeams,
  type TokenWish,
} from '../../src/upstream/token-client.ts';
import { createTrust } from '../../src/upstream/trust.ts';
import type { UpstreamEvent } from '../../src/upstream/upstream-event.ts';

/** Must never appear anywhere except in the request that carries it. */
export const API_KEY = 'sk_car_9vQ2mXc7LrT4.hYb8KzPw3NdF6sJe';

export const WISH: TokenWish = { grants: ['tts'], expiresInSeconds: 300, version: '2026-03-01' };

type Settings = Partial<Config['upstream']> & { readonly baseUrl: string };

export function settings(some: Settings): Config['upstream'] {
  return {
    apiKeys: [new Secret(API_KEY)],
    version: '2026-03-01',
    versionPolicy: 'fill',
    deadlineMs: 2_000,
    connections: 4,
    caFile: null,
    transport: 'undici',
    concurrency: { tts: null, stt: null, agent: null },
    ...some,
  };
}

export interface ClientUnderTest {
  readonly client: TokenClient;
  readonly events: UpstreamEvent[];
}

export function clientUnderTest(
  t: Test,
  some: Settings & { /** PEM text. */ readonly authorities?: string | null },
  seams: Omit<TokenClientSeams, 'onEvent'> = {},
): ClientUnderTest {
  const events: UpstreamEvent[] = [];
  const { authorities = null, ...upstream } = some;
  const client = createTokenClient(settings(upstream), {
    trust: createTrust(authorities === null ? null : [authorities]),
    ...seams,
    onEvent: (event) => events.push(event),
  });
  t.teardown(() => client.close());
  return { client, events };
}

/** The Problem that a mint rejects with. Anything else fails the test. */
export async function problemOf(t: Test, minting: Promise<unknown>): Promise<Problem> {
  const outcome = await minting.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in outcome) || !(outcome.error instanceof Problem)) {
    t.fail(`expected a Problem, got ${inspect(outcome)}`);
    throw new Error('no Problem');
  }
  return outcome.error;
}

/** Everything that a log could print of an error, including hidden properties and causes. */
export function everythingIn(error: unknown): string {
  return inspect(error, { depth: 20, showHidden: true, getters: true });
}
