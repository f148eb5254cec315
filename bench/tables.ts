// Formats results as Markdown.
import { type Difference, differences, TIE, type Verdict, verdicts } from './goals.ts';
import type { Result } from './rounds.ts';
import type { Workload } from './workloads.ts';

export function workloadTable(suite: string, workload: Workload, results: readonly Result[]): string {
  const broker = results.find(({ kind }) => kind === 'broker');
  const { unit } = workload;
  return [
    `### ${suite}: ${workload.name}`,
    '',
    `${capital(workload.what)}.`,
    '',
    `| server | CPU per ${unit}, µs: best | median | the broker's ÷ this | ${unit}s/s | answer p50, µs | p99 | chunk p50, µs | p99 | RSS, MB | errors |`,
    '|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|',
    ...results.map((result) => row(result, broker)),
    '',
    ...verdicts(workload, results).map(verdictLine),
    ...differences(workload, results).map(differenceLine),
    ...warnings(results),
  ].join('\n');
}

function row(result: Result, broker: Result | undefined): string {
  const isServer = result.kind !== 'none';
  const cells = [
    result.kind === 'broker' ? `**${result.contender}**` : result.contender,
    isServer ? number(result.cpuUs) : '–',
    isServer ? number(result.cpuUsMedian) : '–',
    isServer && broker !== undefined ? (broker.cpuUs / result.cpuUs).toFixed(2) : '–',
    number(result.unitsPerSecond),
    number(result.latencyUs?.p50),
    number(result.latencyUs?.p99),
    number(result.chunkUs?.p50),
    number(result.chunkUs?.p99),
    isServer ? number(result.rssMb) : '–',
    String(result.errors),
  ];
  return `| ${cells.join(' | ')} |`;
}

export function verdictLine({ goal, against, ratio, isMet }: Verdict): string {
  const word = isMet
    ? 'met'
    : ratio <= goal.atMost * TIE
      ? 'missed by less than the measurements scatter'
      : '**missed**';
  return `- ${goal.figure}, against ${goal.against}${goal.against === against ? '' : ` (${against})`}: ${ratio.toFixed(2)}, goal ≤ ${goal.atMost}: ${word}`;
}

function differenceLine({ contender, unit, us, each }: Difference): string {
  const list = each.map((one) => signed(one)).join(', ');
  return `- ${contender}: ${signed(us)} µs of CPU per ${unit} beside the broker, median of ${each.length} starts (${list})`;
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${number(Math.abs(value))}`;
}

/** If the load generator was the limit, units per second say nothing about the server. CPU per unit still does. */
function warnings(results: readonly Result[]): string[] {
  const limited = results
    .filter(({ loadUse, kind }) => loadUse > 0.9 && kind !== 'none')
    .map(({ contender }) => contender);
  return limited.length === 0 ? [] : [`- the load generator was the limit for ${limited.join(', ')}`];
}

export function metOrMissed(isMet: boolean): string {
  return isMet ? 'met' : '**missed**';
}

/** Two or three significant digits, all integer digits from 100 on; a dash for what was not measured. */
export function number(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  if (value >= 100) return Math.round(value).toLocaleString('en');
  return value.toPrecision(value >= 10 ? 3 : 2);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
