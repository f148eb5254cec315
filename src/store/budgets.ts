// What is asked of budgets: counters by window, checked and booked in one step.
import type { BudgetWindow } from '../config/budget.ts';
import type { Soon } from './soon.ts';

/** One counter that a booking touches. */
export interface BudgetLine {
  /** Unambiguous: whose budget, of what, in windows of which length. */
  readonly name: string;
  /** Each subject has one of its own. */
  readonly isOfSubject: boolean;
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

/** What is asked of the budgets of one shard. */
export interface BudgetAsk {
  /** Unique. What was booked under it is not booked again for two minutes. */
  readonly id: string;
  /** Of the shard. */
  readonly lines: readonly BudgetLine[];
  /** In whose name; it counts for the lines of subjects. */
  readonly subject: string;
  /** Whole units. */
  readonly amount: number;
}

/** Lines of one shard are booked in one step. A shard is a client app's name, or empty for the account. */
export interface BudgetStore {
  /** Books the amount on all lines, or on none. An amount of 0 asks whether anything is left. */
  book(shard: string, ask: BudgetAsk): Soon<BookingAnswer>;
  /** Books what is consumed already, on all lines, whatever is left; the answer says whether it was too much. */
  consume(shard: string, ask: BudgetAsk): Soon<BookingAnswer>;
  /** Takes back a booking whose answer was not heard, if there was one, and keeps it from being made later. */
  withdraw(shard: string, ask: BudgetAsk): Soon<void>;
  /**
   * Corrects a booking once it is known what was consumed.
   * @param id of the correction: given again, nothing is changed
   */
  settle(shard: string, id: string, counters: BookedCounters, by: number): Soon<void>;
}
