// All that holds callers back but their rates, made together over one store.
import type { Config } from '../config/config.ts';
import type { RateStore } from '../store/rates.ts';
import type { Store } from '../store/store.ts';
import type { UsageRecords } from '../store/usage-records.ts';
import { createLeases, type Leases } from './leases.ts';
import { createQuotas, type Quotas } from './quotas.ts';
import { createRevocations, type Revocations } from './revocations.ts';
import { createSessions, type Sessions } from './sessions.ts';

export interface Limits {
  readonly leases: Leases;
  readonly quotas: Quotas;
  readonly revocations: Revocations;
  readonly sessions: Sessions;
  readonly usage: UsageRecords;
  /** `null`: this replica counts alone. */
  readonly rates: RateStore | null;
  /** Resolves when the store was reached for the first time, and what it knows is known here. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

export function createLimits(config: Pick<Config, 'upstream' | 'limits' | 'clients'>, store: Store): Limits {
  const leases = createLeases({ config, store });
  const revocations = createRevocations(store);
  return {
    leases,
    quotas: createQuotas({ config, store }),
    revocations,
    sessions: createSessions(revocations),
    usage: store.usage,
    rates: store.rates,
    ready: revocations.known,
    async close() {
      revocations.close();
      await leases.close();
    },
  };
}
