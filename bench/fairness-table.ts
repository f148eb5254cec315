// Compares how a full account is shared with the broker's queue, with a queue in the order of arrival, and without a queue.
import { type Discipline, jainsIndex, median, type Scenario, simulate } from './fairness-simulation.ts';

/** Ten subjects with one request at a time. */
export const MODEST = Array.from({ length: 10 }, (_, i) => ({
  name: `modest-${i}`,
  client: 'app',
  parallel: 1,
  pauseMs: 500,
}));
const greedy = { name: 'greedy', client: 'app', parallel: 200, pauseMs: 100 };
const BASE: Omit<Scenario, 'subjects'> = {
  limit: 5,
  holdMs: 1_000,
  waitMs: 60_000,
  queueMax: 500,
  lastsMs: 600_000,
  seed: 7,
};

const SCENARIOS: readonly (readonly [string, Scenario])[] = [
  ['ten modest subjects', { ...BASE, subjects: MODEST }],
  ['the same and one with 200 requests', { ...BASE, subjects: [...MODEST, greedy] }],
  ['the same, nobody waits for more than 2 s', { ...BASE, waitMs: 2_000, subjects: [...MODEST, greedy] }],
];

/** Lines of Markdown. The same on every machine: time is only counted, and randomness is seeded. */
export function fairnessTable(disciplines: readonly Discipline[] = ['fair', 'fifo', 'none']): readonly string[] {
  const lines = [
    '| load | queue | Jain, all subjects | modest: median wait | modest: served | modest: refused | greedy: served | in use while somebody waits |',
    '|---|---|---|---|---|---|---|---|',
  ];
  for (const [load, scenario] of SCENARIOS) {
    for (const discipline of disciplines) {
      const { subjects, utilisation } = simulate(scenario, discipline);
      const few = subjects.filter(({ name }) => name !== 'greedy');
      const many = subjects.find(({ name }) => name === 'greedy');
      const sum = (key: 'served' | 'refused'): number => few.reduce((total, one) => total + one[key], 0);
      const cells = [
        load,
        discipline,
        jainsIndex(subjects.map(({ served }) => served)).toFixed(3),
        `${Math.round(median(few.map(({ medianWaitMs }) => medianWaitMs)))} ms`,
        sum('served'),
        sum('refused'),
        many?.served ?? '–',
        discipline === 'none' ? '–' : utilisation.toFixed(3),
      ];
      lines.push(`| ${cells.join(' | ')} |`);
    }
  }
  return lines;
}
