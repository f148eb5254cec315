// Questions to a pool of leases, as tests write them.
import type { LeaseAsk, PoolRules } from '../../src/store/lease-rules.ts';

let made = 0;

/** An ask of `client/subject` that may wait for a minute, under a name of its own unless told. */
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
