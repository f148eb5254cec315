// What is asked of budgets: counters by window, checked and booked in one step.
import type { BudgetWindow } from '../config/budget.ts';

/** One counter that a booking touches. */
export interface BudgetLine {
  /** Unambiguous: whose budget, of what. */
  readonly name: string;
  readonly window: BudgetWindow;
  /** Whole units. */
  readonly limit: number;
}

/** What was booked on, as the store knows it: for `settle` and nothing else. */
export type BookedCounters = readonly unknown[];

export type BookingAnswer =
  | { readonly outcome: 'booked'; readonly counters: BookedCounters }
  /** `line` is the position of the first budget that does not cover it. */
  | { readonly outcome: 'exceeded'; readonly line: number; readonly endsInMs: number };

export interface BudgetStore {
  /**
   * Books the amount on all lines, or on none. An amount of 0 asks whether anything is left.
   * @param shard lines of one shard are booked in one step; the client app's name, or empty for the account
   * @param amount whole units
   */
  book(shard: string, lines: readonly BudgetLine[], amount: number): Promise<BookingAnswer>;
  /** Books what is consumed already, on all lines, whatever is left; the answer says whether it was too much. */
  consume(shard: string, lines: readonly BudgetLine[], amount: number): Promise<BookingAnswer>;
  /**
   * Corrects a booking once it is known what was consumed.
   * @param id of the correction: given again, nothing is changed
   */
  settle(shard: string, id: string, counters: BookedCounters, by: number): Promise<void>;
}
