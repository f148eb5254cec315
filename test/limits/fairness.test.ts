// Simulates a full account with subjects and client apps that want all of it.
import { readFileSync } from 'node:fs';
import { test } from 'tap';
import { jainsIndex, median, simulate } from '../../bench/fairness-simulation.ts';
import { fairnessTable, MODEST } from '../../bench/fairness-table.ts';

const greedy = { name: 'greedy', client: 'app', parallel: 200, pauseMs: 0.1 };
const BASE = { limit: 5, holdMs: 1_000, waitMs: 60_000, queueMax: 1_000, lastsMs: 600_000 };

for (const seed of [1, 2, 3]) {
  test(`200 requests of one subject do not double the wait of ten others (seed ${seed})`, async (t) => {
    const waitOf = (subjects: typeof MODEST, discipline: 'fair' | 'fifo'): number => {
      const result = simulate({ ...BASE, subjects, seed }, discipline);
      return median(result.subjects.filter(({ name }) => name !== 'greedy').map(({ medianWaitMs }) => medianWaitMs));
    };
    const without = waitOf(MODEST, 'fair');
    const beside = waitOf([...MODEST, greedy], 'fair');
    t.ok(beside <= 2 * without, `${Math.round(beside)} ms beside it, ${Math.round(without)} ms without`);
    t.ok(waitOf([...MODEST, greedy], 'fifo') > 10 * without, 'in order of arrival they would wait for all of it');
  });
}

test('a client app with more users than waiting places leaves the other app its half', async (t) => {
  const crowd = Array.from({ length: 400 }, (_, i) => ({ name: `${i}`, client: 'other', parallel: 1, pauseMs: 100 }));
  for (const waitMs of [2_000, 60_000]) {
    const scenario = { ...BASE, waitMs, queueMax: 100, subjects: [...MODEST, ...crowd], seed: 5 };
    const { subjects, utilisation } = simulate(scenario, 'fair');
    const served = (client: string): number =>
      subjects.reduce(
        (sum, { name, ...one }, at) => sum + (scenario.subjects[at]?.client === client ? one.served : 0),
        0,
      );
    const [app, other] = [served('app'), served('other')];
    t.ok(Math.abs(app - other) < 0.05 * (app + other), `${app} and ${other}`);
    t.equal(utilisation, 1);
  }
});

test('nothing is idle while somebody waits, and all subjects get the same', async (t) => {
  const { subjects, utilisation } = simulate({ ...BASE, subjects: [...MODEST, greedy], seed: 4 }, 'fair');
  t.equal(utilisation, 1);
  t.ok(jainsIndex(subjects.map(({ served }) => served)) > 0.95);
});

test('docs/scale.md has the table that the simulation prints', async (t) => {
  const text = readFileSync(new URL('../../docs/scale.md', import.meta.url), 'utf8').split('\n');
  const missing = fairnessTable(['fair', 'fifo']).filter((line) => !text.includes(line)); // `none` takes seconds
  t.strictSame(missing, [], 'run node bench/fairness.ts');
});
