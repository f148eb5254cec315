// A pool of leases in Redis: one run of the script per call.
import {
  LEASE_TIMES,
  type LeaseAnswer,
  type LeaseAsk,
  type LeaseKind,
  type LeaseTimes,
  type LeaseView,
  type PoolRules,
  type PoolView,
} from '../lease-rules.ts';
import type { BeatAnswer } from '../lease-table.ts';
import type { LeasePool } from '../store.ts';
import { LEASE_KEYS, LEASE_SCRIPT } from './lease-script.ts';
import type { RedisLink } from './redis-link.ts';
import {
  listIn,
  NotUnderstood,
  nothing,
  numberIn,
  type RedisScript,
  redisScript,
  textIn,
  textsIn,
} from './redis-script.ts';

export interface RedisLeasesOptions {
  readonly link: RedisLink;
  /** Precedes every key and contains the hash tag, so that a pool is in one slot of a cluster. */
  readonly prefix: string;
  /** Channel on which a granted wait is announced, up to the replica's name. */
  readonly wakePrefix: string;
  readonly times?: Partial<LeaseTimes>;
  /** Called when the pool has started afresh since the last call. */
  readonly onRenewed: () => void;
}

/** Some of a pool's leases, and where to go on; `0` = these were the last. Those that change in between may be left out, or come twice. */
interface PartOfView extends PoolView {
  readonly next: string;
}

/** Every operation of the script first returns the epoch, which changes when the pool starts afresh. */
interface Said<Answer> {
  readonly epoch: string;
  readonly answer: Answer;
}

/** @param pool prefix of its keys; it makes the script unique to the pool, so that an unknown script says something about that pool */
function operationsOf(pool: string) {
  const lua = `-- ${pool}\n${LEASE_SCRIPT}`;
  function operation<Answer>(read: (answer: readonly unknown[]) => Answer): RedisScript<Said<Answer>> {
    return redisScript(lua, {
      read(said) {
        const [epoch, ...answer] = listIn(said);
        return { epoch: textIn(epoch), answer: read(answer) };
      },
    });
  }
  return {
    acquire: operation(([outcome, wait]): LeaseAnswer => {
      if (outcome === 'refused') return { outcome, retryAfterMs: numberIn(wait) };
      if (outcome === 'granted' || outcome === 'queued') return { outcome };
      throw new NotUnderstood('no outcome');
    }),
    release: operation(([retryAfterMs]) => numberIn(retryAfterMs)),
    beat: operation(([granted, lost]): BeatAnswer => ({ granted: textsIn(granted), lost: textsIn(lost) })),
    lower: operation(nothing),
    view: operation(([next, leases, waiting, low]): PartOfView => {
      const loweredTo = numberIn(low);
      return {
        next: textIn(next),
        leases: listIn(leases).map(leaseIn),
        waiting: numberIn(waiting),
        loweredTo: loweredTo < 0 ? null : loweredTo,
      };
    }),
  };
}

type Operations = ReturnType<typeof operationsOf>;

function leaseIn(entry: unknown): LeaseView {
  const [id, client, subject, owner, age] = listIn(entry);
  return {
    id: textIn(id),
    client: textIn(client),
    subject: textIn(subject),
    owner: textIn(owner),
    ageMs: numberIn(age),
  };
}

export function createRedisLeases(kind: LeaseKind, options: RedisLeasesOptions): LeasePool {
  const { link, onRenewed } = options;
  const times = { ...LEASE_TIMES, ...options.times };
  const pool = `${options.prefix}:${kind}`;
  const keys = LEASE_KEYS.map((name) => `${pool}:${name}`);
  const operations = operationsOf(pool);
  // Written to the pool before Redis gets to know a script. This replica may have run it before: then Redis was restarted or replaced. If not,
  // it may just be that of a new version: the script finds out.
  const anew = ['HSET', `${pool}:${LEASE_KEYS[0]}`, 'anew', '1'] as const;
  const asked = ['HSET', `${pool}:${LEASE_KEYS[0]}`, 'asked', '1'] as const;
  const poolTexts = new WeakMap<PoolRules, string>();
  let epoch: string | null = null;

  function poolText(rules: PoolRules): string {
    let text = poolTexts.get(rules);
    if (text === undefined) {
      text = JSON.stringify({
        limit: rules.limit ?? NONE,
        reserved: [...rules.reserved],
        queue_max: rules.queueMax,
        is_shared: rules.isShared,
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

  async function run<Name extends keyof Operations>(
    rules: PoolRules,
    name: Name,
    about: object,
  ): Promise<AnswerOf<Name>> {
    const script = operations[name] as RedisScript<Said<AnswerOf<Name>>>; // TypeScript cannot relate the name to its entry
    const args = [name, poolText(rules), JSON.stringify(about)];
    const said = await link.run(`lease_${name}`, script, keys, args, epoch === null ? asked : anew);
    if (said.epoch !== epoch) {
      const isFirst = epoch === null;
      epoch = said.epoch;
      if (!isFirst) onRenewed();
    }
    return said.answer;
  }

  return {
    acquire: (rules, ask) => run(rules, 'acquire', askText(ask)),
    release: (rules, ids) => run(rules, 'release', { ids }),
    beat: (rules, owner, held, waiting) =>
      run(rules, 'beat', { owner, held: held.map(({ id, client, subject }) => [id, client, subject]), waiting }),
    lower: (rules) => run(rules, 'lower', {}),
    async view(rules) {
      const leases = new Map<string, LeaseView>();
      for (let from = '0'; ; ) {
        const { next, leases: some, ...view } = await run(rules, 'view', { from });
        for (const lease of some) leases.set(lease.id, lease);
        if (next === '0') return { leases: [...leases.values()], ...view };
        from = next;
      }
    },
  };
}

type AnswerOf<Name extends keyof Operations> = ReturnType<Operations[Name]['read']>['answer'];

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
