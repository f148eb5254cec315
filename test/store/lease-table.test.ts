// Checks the rules of a lease pool with random histories of requests.
import fc from 'fast-check';
import { test } from 'tap';
import { createLeaseTable, type LeaseTable } from '../../src/store/lease-entries.ts';
import { LEASE_TIMES, type LeaseAsk, type PoolRules } from '../../src/store/lease-rules.ts';
import { acquire, beat, lower, release, view } from '../../src/store/lease-table.ts';
import { ask, pool } from './lease-ask.ts';

type Step =
  | { readonly do: 'ask'; readonly client: number; readonly subject: number; readonly waitMs: number }
  | { readonly do: 'end'; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'beat' }
  | { readonly do: 'lower' };

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      client: fc.nat(2),
      subject: fc.nat(3),
      waitMs: fc.constantFrom(0, 500, 60_000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.nat(4_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('beat' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lower' as const) }) },
);

const rulesOf = fc.record({ limit: fc.integer({ min: 1, max: 6 }), reserve: fc.nat(2), queueMax: fc.nat(12) });
const CLIENT_MAX = 4;
const SUBJECT_MAX = 2;

/** Runs the steps; `look` is called with the table after each. */
function play(steps: readonly Step[], rules: PoolRules, look: (table: LeaseTable, now: number) => void): void {
  const table = createLeaseTable();
  let now = 0;
  const asked: LeaseAsk[] = [];
  for (const one of steps) {
    if (one.do === 'ask') {
      const next = ask(`c${one.client}/s${one.subject}`, {
        clientMax: CLIENT_MAX,
        subjectMax: SUBJECT_MAX,
        waitMs: one.waitMs,
        weight: one.client + 1,
      });
      asked.push(next);
      acquire(table, rules, LEASE_TIMES, next, now, () => {});
    } else if (one.do === 'end') {
      const ended = asked[one.which % Math.max(1, asked.length)];
      if (ended !== undefined) release(table, rules, LEASE_TIMES, [ended.id], now, () => {});
    } else if (one.do === 'pass') now += one.ms;
    else if (one.do === 'lower') lower(table, LEASE_TIMES, now);
    else beat(table, rules, LEASE_TIMES, 'replica', view(table, now).leases, [], now, () => {});
    look(table, now);
  }
}

test('the limit, shares, queue length and reserve are never exceeded', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fc.array(step, { maxLength: 120 }), rulesOf, (steps, { limit, reserve, queueMax }) => {
          const rules = pool(limit, { reserved: new Map([['c0', Math.min(reserve, limit)]]), queueMax });
          play(steps, rules, (table, now) => {
            const { leases, waiting, loweredTo } = view(table, now);
            const of = (key: (one: (typeof leases)[number]) => string): number[] =>
              Array.from(Map.groupBy(leases, key).values(), ({ length }) => length);
            if (leases.length > limit) throw new Error('more leases than the limit');
            if (of(({ client }) => client).some((count) => count > CLIENT_MAX))
              throw new Error('a client app has too many');
            if (of(({ client, subject }) => `${client}/${subject}`).some((count) => count > SUBJECT_MAX))
              throw new Error('a subject has too many');
            if (waiting > queueMax) throw new Error('the queue is too long');
            const others = leases.filter(({ client }) => client !== 'c0').length;
            if (loweredTo === null && others > limit - Math.min(reserve, limit))
              throw new Error('the reserve was given away');
          });
        }),
        { numRuns: 300 },
      ),
    '300 histories',
  );
});

interface Whose {
  readonly client: string;
  readonly subject: string;
}

const WHOSE: readonly Whose[] = [0, 1, 2, 3].flatMap((client) =>
  [0, 1, 2, 3, 4].map((subject) => ({ client: `c${client}`, subject: `s${subject}` })),
);

test('the counts always match the entries', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fc.array(step, { maxLength: 120 }), rulesOf, (steps, { limit, queueMax }) => {
          play(steps, pool(limit, { queueMax }), (table) => {
            const [leases, waiters] = [table.leases.all(), table.waiters.all().map(({ ask }) => ask)];
            for (const whose of WHOSE) {
              const { client, subject } = table.counts.of(whose);
              const isClient = (one: Whose): boolean => one.client === whose.client;
              const isSubject = (one: Whose): boolean => isClient(one) && one.subject === whose.subject;
              if (client.held !== leases.filter(isClient).length) throw new Error('held by a client app');
              if (subject.held !== leases.filter(isSubject).length) throw new Error('held by a subject');
              if (client.queued !== waiters.filter(isClient).length) throw new Error('queued of a client app');
              if (subject.queued !== waiters.filter(isSubject).length) throw new Error('queued of a subject');
            }
          });
        }),
        { numRuns: 200 },
      ),
    '200 histories',
  );
});

test('nobody starves: no waiter falls more than one turn behind', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(
          fc.array(fc.nat(5), { minLength: 10, maxLength: 80 }),
          fc.integer({ min: 1, max: 4 }),
          (subjects, limit) => {
            const table = createLeaseTable();
            const rules = pool(limit);
            for (let i = 0; i < limit; i += 1) acquire(table, rules, LEASE_TIMES, ask('c/first'), 0, () => {});
            for (const subject of subjects) acquire(table, rules, LEASE_TIMES, ask(`c/s${subject}`), 0, () => {});
            const turns = new Map<string, number>();
            for (let i = 0; table.waiters.size > 0; i += 1) {
              const [oldest] = table.leases.all().toSorted((a, b) => a.grantedAt - b.grantedAt);
              if (oldest === undefined) throw new Error('nothing is leased while somebody waits');
              release(table, rules, LEASE_TIMES, [oldest.id], i, ({ id }) => {
                const { subject = '' } = table.leases.get(id) ?? {};
                turns.set(subject, (turns.get(subject) ?? 0) + 1);
              });
              for (const {
                ask: { subject },
              } of table.waiters.all()) {
                const behind = Math.max(0, ...turns.values()) - (turns.get(subject) ?? 0);
                if (behind > 1) throw new Error(`${subject} is ${behind} turns behind`);
              }
            }
          },
        ),
        { numRuns: 200 },
      ),
    '200 queues',
  );
});

test('a subject that waited and left is forgotten, even while others still wait', async (t) => {
  const table = createLeaseTable();
  const rules = pool(1);
  const held = ask('a/holds');
  for (const one of [held, ask('a/waits'), ask('a/waits')]) acquire(table, rules, LEASE_TIMES, one, 0, () => {});
  for (let i = 0; i < 20; i += 1) {
    const one = ask(`a/passer-by-${i}`);
    acquire(table, rules, LEASE_TIMES, one, 0, () => {});
    release(table, rules, LEASE_TIMES, [one.id], 0, () => {});
  }
  const names = (): unknown[] => [...(table.turns.subjects.get('a')?.taken.keys() ?? [])];
  t.strictSame(names(), ['waits']);
  // Turns beyond a newcomer's are remembered, so that leaving the queue and coming back gives no advantage.
  release(table, rules, LEASE_TIMES, [held.id], 0, () => {});
  for (const who of ['a/waits', 'a/new']) acquire(table, rules, LEASE_TIMES, ask(who), 0, () => {});
  t.strictSame(names().sort(), ['new', 'waits']);
  t.equal(table.turns.subjects.get('a')?.taken.get('waits'), 1);
});

test('subjects that waited once are forgotten, even if the queue is never empty', async (t) => {
  const table = createLeaseTable();
  const rules = pool(1);
  let held = ask('a/0');
  acquire(table, rules, LEASE_TIMES, held, 0, () => {});
  const waiting: LeaseAsk[] = [];
  for (let i = 1; i <= 3_000; i += 1) {
    const next = ask(`a/${i}`);
    acquire(table, rules, LEASE_TIMES, next, 0, () => {});
    waiting.push(next);
    if (waiting.length <= 5) continue;
    release(table, rules, LEASE_TIMES, [held.id], 0, () => {});
    held = waiting.shift() ?? held;
  }
  t.strictSame(
    view(table, 0).leases.map(({ id }) => id),
    [held.id],
    'they were served in order all the same',
  );
  const taken = table.turns.subjects.get('a')?.taken ?? new Map();
  t.ok(taken.size < 1_100, `${taken.size} subjects`);
  for (const { subject } of waiting) t.ok(taken.has(subject), subject);
});
