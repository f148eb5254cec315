// What was consumed: each day in total, and one day in detail.
import { type Html, html } from '../../html/html.ts';
import type { UsageLine } from '../admin/usage-summary.ts';
import type { Page } from './page.ts';
import { table } from './table.ts';

type Sums = Omit<UsageLine, 'day' | 'client' | 'subject'>;

/** @param day of which the details are shown, as the query says it; without it the newest */
export function usagePage(lines: readonly UsageLine[], day: unknown): Page {
  const days = Map.groupBy(lines, (line) => line.day);
  const newest = [...days.keys()].toSorted().toReversed();
  const [shown = ''] = typeof day === 'string' && days.has(day) ? [day] : newest;
  return {
    title: 'Usage',
    content:
      newest.length === 0
        ? html`<p>Nothing has been consumed yet.</p>`
        : html`
  <p>Days are in UTC. Only the newest records are counted; the log has all of them.</p>
  ${table('By day', ['Day', ...UNITS.map(([, name]) => name)], newest, (one) => [
    html`<a href="?day=${one}">${one}</a>`,
    ...cells(sum(days.get(one) ?? [])),
  ])}
  ${detail(shown, days.get(shown) ?? [])}`,
  };
}

function detail(day: string, lines: readonly UsageLine[]): Html {
  const columns = ['Client app', 'Subject', ...UNITS.map(([, name]) => name)];
  return table(`${day} by client app and subject`, columns, lines, (line) => [
    line.client,
    line.subject,
    ...cells(line),
  ]);
}

const UNITS = [
  ['requests', 'Requests'],
  ['characters', 'Characters'],
  ['spoken_seconds', 'Speech, s'],
  ['audio_seconds', 'Transcribed, s'],
  ['call_seconds', 'Calls, s'],
  ['cost', 'Cost'],
] as const satisfies readonly (readonly [keyof Sums, string])[];

function cells(sums: Sums): readonly (string | null)[] {
  return UNITS.map(([unit]) => sums[unit]?.toLocaleString('en', { maximumFractionDigits: 2 }) ?? null);
}

function sum(lines: readonly UsageLine[]): Sums {
  const total = (unit: keyof Sums): number => lines.reduce((all, line) => all + (line[unit] ?? 0), 0);
  return {
    requests: total('requests'),
    characters: total('characters'),
    spoken_seconds: total('spoken_seconds'),
    audio_seconds: total('audio_seconds'),
    call_seconds: total('call_seconds'),
    cost: lines.some(({ cost }) => cost !== null) ? total('cost') : null,
  };
}
