// Budget windows: calendar hours, days and months in UTC, so that an operator knows when one ends. Pure.
import type { BudgetWindow } from '../config/budget.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** @param now epoch milliseconds */
export function windowOf(window: BudgetWindow, now: number): { readonly startMs: number; readonly endMs: number } {
  if (window === 'month') {
    const date = new Date(now);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    return { startMs: Date.UTC(year, month), endMs: Date.UTC(year, month + 1) };
  }
  const length = window === 'hour' ? HOUR_MS : DAY_MS;
  const startMs = Math.floor(now / length) * length;
  return { startMs, endMs: startMs + length };
}
