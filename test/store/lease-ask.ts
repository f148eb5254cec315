// Builds lease requests and pool rules for tests.
import type { LeaseAsk, PoolRules } from '../../src/store/lease-rules.ts';

let made = 0;

/** A request of `client/subject` that may wait for a minute, with an id of its own by default. */
export function ask(who: string, given: Partial<LeaseAsk> = {}): LeaseAsk {
  const [client = '', subject = client] = who.split('/');
  made += 1;
  return {
    id: `${who}#${made}`,
    client,
    subject,
    owner: 'replica',
    clientMax: null,
    subjectMax: null,
    weight: 1,
    waitMs: 60_000,
    ...given,
  };
}

export function pool(limit: number | null, given: Partial<PoolRules> = {}): PoolRules {
  return { limit, reserved: new Map(), queueMax: 1000, isShared: false, ...given };
}
