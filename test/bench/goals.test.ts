// Verdicts on results against goals.
import { test } from 'tap';
import { differences, verdicts } from '../../bench/goals.ts';
import type { Result } from '../../bench/rounds.ts';
import { verdictLine } from '../../bench/tables.ts';
import { BEST_PACKAGE, type Goal, type Workload } from '../../bench/workloads.ts';

const result = (contender: string, kind: Result['kind'], cpuUs: number, p50: number): Result => ({
  workload: 'w',
  contender,
  kind,
  unitsPerSecond: 1,
  cpuUs,
  cpuUsMedian: cpuUs,
  cpuUsOfStarts: [cpuUs],
  latencyUs: { p50, p99: p50 },
  chunkUs: null,
  rssMb: 1,
  loadUse: 0.1,
  errors: 0,
});

const RESULTS = [
  result('broker', 'broker', 30, 300),
  result('no proxy', 'none', 0, 100),
  result('nginx', 'native', 10, 200),
  result('slow', 'package', 100, 900),
  result('quick', 'package', 60, 500),
];

const workload = (...goals: readonly Goal[]): Workload => ({
  name: 'w',
  what: 'w',
  unit: 'request',
  program: 'load',
  request: '',
  settings: {},
  credentials: 'seen',
  unitsOf: () => 1,
  goals,
});

test('CPU is compared with the named contender, or with the best package', async (t) => {
  const [nginx, packages] = verdicts(
    workload({ figure: 'cpu', against: 'nginx', atMost: 3.2 }, { figure: 'cpu', against: BEST_PACKAGE, atMost: 0.45 }),
    RESULTS,
  );
  t.match(nginx, { against: 'nginx', ratio: 3, isMet: true });
  t.match(packages, { against: 'quick', ratio: 0.5, isMet: false });
});

test('latency is compared by what each adds to the latency without a proxy', async (t) => {
  const goal: Goal = { figure: 'added latency', against: 'nginx', atMost: 1.7 };
  t.match(verdicts(workload(goal), RESULTS), [{ ratio: 2, isMet: false }]);
  t.strictSame(
    verdicts(
      workload(goal),
      RESULTS.filter(({ kind }) => kind !== 'none'),
    ),
    [],
    'no baseline, no verdict',
  );
});

test('a contender that was not measured gives no verdict', async (t) => {
  t.strictSame(verdicts(workload({ figure: 'cpu', against: 'haproxy', atMost: 1 }), RESULTS), []);
  t.strictSame(verdicts(workload({ figure: 'cpu', against: 'nginx', atMost: 1 }), RESULTS.slice(1)), []);
});

test('a missed goal is reported as missed', async (t) => {
  const goal: Goal = { figure: 'cpu', against: BEST_PACKAGE, atMost: 0.45 };
  const line = (ratio: number): string => verdictLine({ goal, against: 'quick', ratio, isMet: ratio <= goal.atMost });
  t.equal(line(0.4), '- cpu, against the best package (quick): 0.40, goal ≤ 0.45: met');
  t.match(line(0.5), 'missed by less than the measurements scatter');
  t.match(line(0.6), '**missed**');
});

test('the cost of other settings is reported start by start, and only with more than two starts', async (t) => {
  const started = (contender: string, ...cpuUsOfStarts: readonly number[]): Result => ({
    ...result(contender, 'broker', 1, 1),
    cpuUsOfStarts,
  });
  t.strictSame(differences(workload(), [started('broker', 100, 200, 150), started('limited', 110, 190, 155)]), [
    { contender: 'limited', unit: 'request', us: 5, each: [10, -10, 5] },
  ]);
  t.strictSame(differences(workload(), [started('broker', 100, 200), started('limited', 110, 190)]), []);
});
