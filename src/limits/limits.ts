// Creates everything that limits callers, except rate limits, over one store.
import type { Config } from '../config/config.ts';
import type { RateStore } from '../store/rates.ts';
import type { Store } from '../store/store.ts';
import type { UsageRecords } from '../store/usage-records.ts';
import { type AllSessions, createAllSessions } from './all-sessions.ts';
import { createLeases, type Leases } from './leases.ts';
import type { LimitObserver } from './limit-event.ts';
import { createQuotas, type Quotas } from './quotas.ts';
import { createRevocations, type Revocations } from './revocations.ts';
import { createSessions, type Sessions } from './sessions.ts';

export interface Limits {
  readonly leases: Leases;
  readonly quotas: Quotas;
  readonly revocations: Revocations;
  /** Of this replica. */
  readonly sessions: Sessions;
  readonly allSessions: AllSessions;
  readonly usage: UsageRecords;
  /** `null`: this replica counts alone. */
  readonly rates: RateStore | null;
  /** Resolves when the store was reached for the first time and its revocations are known here. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export interface LimitsOptions {
  readonly config: Pick<Config, 'upstream' | 'limits' | 'clients'>;
  readonly store: Store;
  readonly onEvent?: LimitObserver;
}

export function createLimits({ config, store, onEvent = () => {} }: LimitsOptions): Limits {
  const leases = createLeases({ config, store, onEvent });
  const revocations = createRevocations({ store, onEvent });
  const sessions = createSessions({ revocations, onEvent });
  return {
    leases,
    quotas: createQuotas({ config, store, onEvent }),
    revocations,
    sessions,
    allSessions: createAllSessions(sessions, store.peers),
    usage: store.usage,
    rates: store.rates,
    ready: revocations.known,
    async close() {
      revocations.close();
      await leases.close();
    },
  };
}
