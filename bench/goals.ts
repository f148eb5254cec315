// Compares results with goals. Pure arithmetic.
import { median, type Result } from './rounds.ts';
import { BEST_PACKAGE, type Figure, type Goal, type Workload } from './workloads.ts';

export interface Verdict {
  readonly goal: Goal;
  /** The contender that the broker was compared with. */
  readonly against: string;
  readonly ratio: number;
  readonly isMet: boolean;
}

/** The factor by which measurements of the same thing differ on a shared machine: a goal missed by less is a tie. */
export const TIE = 1.2;

/** One verdict for each goal whose contender was measured. */
export function verdicts(workload: Workload, results: readonly Result[]): readonly Verdict[] {
  const broker = results.find(({ kind }) => kind === 'broker');
  const bare = results.find(({ kind }) => kind === 'none');
  if (broker === undefined) return [];
  return workload.goals.flatMap((goal) => {
    const figure = (result: Result): number | null => figureOf(goal.figure, result, bare);
    const candidates = results.filter(({ kind, contender }) =>
      goal.against === BEST_PACKAGE ? kind === 'package' : contender === goal.against,
    );
    const others = candidates.flatMap((result) => {
      const value = figure(result);
      return value === null ? [] : [{ result, value }];
    });
    const [best] = others.sort((a, b) => a.value - b.value);
    const ours = figure(broker);
    if (best === undefined || ours === null) return [];
    const ratio = ours / best.value;
    return [{ goal, against: best.result.contender, ratio, isMet: ratio <= goal.atMost }];
  });
}

/** What another build of the broker, or the broker with other settings, costs more. */
export interface Difference {
  readonly contender: string;
  readonly unit: string;
  /** Median of the starts, microseconds per unit. */
  readonly us: number;
  /** Start by start, each compared with the broker process of the same start. */
  readonly each: readonly number[];
}

/** Empty for fewer than three starts: two processes of the very same program differ by more than most changes make. */
export function differences({ unit }: Workload, results: readonly Result[]): readonly Difference[] {
  const [broker, ...others] = results.filter(({ kind }) => kind === 'broker');
  if (broker === undefined || broker.cpuUsOfStarts.length < STARTS_MIN) return [];
  return others.map(({ contender, cpuUsOfStarts }) => {
    const each = cpuUsOfStarts.map((us, start) => us - (broker.cpuUsOfStarts[start] ?? us));
    return { contender, unit, us: median(each), each };
  });
}

const STARTS_MIN = 3;

function figureOf(figure: Figure, result: Result, bare: Result | undefined): number | null {
  if (figure === 'cpu') return result.cpuUs;
  const durations = (of: Result): number | undefined => (figure === 'added latency' ? of.latencyUs : of.chunkUs)?.p50;
  const [with_, without] = [durations(result), bare === undefined ? undefined : durations(bare)];
  // A negative difference is noise; at least a microsecond keeps the ratio finite.
  return with_ === undefined || without === undefined ? null : Math.max(1, with_ - without);
}
