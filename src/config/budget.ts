// A budget as operators write it: `20000/day`.

/** Calendar windows in UTC. */
const BUDGET_WINDOWS = ['hour', 'day', 'month'] as const;
export type BudgetWindow = (typeof BUDGET_WINDOWS)[number];

/** What is metered: Cartesia's units, and minted tokens. */
export const QUOTA_UNITS = ['characters', 'audio_seconds', 'call_seconds', 'mints'] as const;
export type QuotaUnit = (typeof QUOTA_UNITS)[number];

/** `20000/day` -> { max: 20000, window: 'day' }. */
export interface Budget {
  readonly max: number;
  readonly window: BudgetWindow;
}

/** The form of a budget, for JSON Schema: at most 999,999,999,999 in a window. */
export const BUDGET_PATTERN = `[1-9][0-9]{0,11}/(?:${BUDGET_WINDOWS.join('|')})`;

const BUDGET = new RegExp(`^${BUDGET_PATTERN}$`);

/** `null` if absent or not a budget. */
export function parseBudget(text: string | undefined): Budget | null {
  if (text === undefined || !BUDGET.test(text)) return null;
  const [max, window] = text.split('/');
  return { max: Number(max), window: window as BudgetWindow }; // the pattern names them
}
