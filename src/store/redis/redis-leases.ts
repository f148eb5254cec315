// A pool of leases in Redis: one run of the script for each question.
import { LEASE_TIMES, type LeaseAsk, type LeaseKind, type LeaseTimes, type PoolRules } from '../lease-rules.ts';
import type { LeasePool } from '../store.ts';
import { LEASE_KEYS, LEASE_SCRIPT } from './lease-script.ts';
import { notUnderstood, type RedisLink, redisScript } from './redis-link.ts';

export interface RedisLeasesOptions {
  readonly link: RedisLink;
  /** Before every key, with the hash tag: one pool is in one slot of a cluster. */
  readonly prefix: string;
  /** Where a granted wait is told, before the replica's name. */
  readonly wakePrefix: string;
  readonly times?: Partial<LeaseTimes>;
  /** The store began anew since it was last asked. */
  readonly onRenewed: () => void;
}

const SCRIPT = redisScript(LEASE_SCRIPT);

export function createRedisLeases(kind: LeaseKind, options: RedisLeasesOptions): LeasePool {
  const { link, onRenewed } = options;
  const times = { ...LEASE_TIMES, ...options.times };
  const keys = LEASE_KEYS.map((name) => `${options.prefix}:${kind}:${name}`);
  const poolTexts = new WeakMap<PoolRules, string>();
  let epoch: string | null = null;

  function poolText(rules: PoolRules): string {
    let text = poolTexts.get(rules);
    if (text === undefined) {
      text = JSON.stringify({
        limit: rules.limit ?? NONE,
        reserved: [...rules.reserved],
        queue_max: rules.queueMax,
        ttl: times.ttlMs,
        offer: times.offerMs,
        lowered: times.loweredMs,
        warm: times.warmMs,
        wake: options.wakePrefix,
      });
      poolTexts.set(rules, text);
    }
    return text;
  }

  async function run(rules: PoolRules, operation: string, about: object): Promise<readonly unknown[]> {
    const answer = await link.run(`lease_${operation}`, SCRIPT, keys, [
      operation,
      poolText(rules),
      JSON.stringify(about),
    ]);
    // Whatever else answers at that address must not end this process.
    if (!Array.isArray(answer) || typeof answer[0] !== 'string') throw notUnderstood();
    const [said] = answer;
    if (said !== epoch) {
      const isFirst = epoch === null;
      epoch = said;
      if (!isFirst) onRenewed();
    }
    return answer;
  }

  return {
    async acquire(rules, ask) {
      const [, outcome, wait] = await run(rules, 'acquire', askText(ask));
      if (outcome === 'refused') return { outcome, retryAfterMs: Number(wait) };
      return { outcome: outcome === 'granted' ? 'granted' : 'queued' };
    },
    async release(rules, ids) {
      const [, retryAfterMs] = await run(rules, 'release', { ids });
      return Number(retryAfterMs);
    },
    async beat(rules, owner, held, waiting) {
      const about = { owner, held: held.map(({ id, client, subject }) => [id, client, subject]), waiting };
      const [, granted, lost] = await run(rules, 'beat', about);
      return { granted: granted as string[], lost: lost as string[] }; // lists of names in the script
    },
    async lower(rules) {
      await run(rules, 'lower', {});
    },
    async view(rules) {
      const [, leases, waiting, low] = await run(rules, 'view', {});
      return {
        leases: (leases as [string, string, string, string, number][]).map(([id, client, subject, owner, ageMs]) => ({
          id,
          client,
          subject,
          owner,
          ageMs: Number(ageMs),
        })),
        waiting: Number(waiting),
        loweredTo: Number(low) < 0 ? null : Number(low),
      };
    },
  };
}

/** How the script says that there is no limit. */
const NONE = -1;

function askText(ask: LeaseAsk): object {
  return {
    id: ask.id,
    client: ask.client,
    subject: ask.subject,
    owner: ask.owner,
    client_max: ask.clientMax ?? NONE,
    subject_max: ask.subjectMax ?? NONE,
    weight: ask.weight,
    wait: ask.waitMs,
  };
}
