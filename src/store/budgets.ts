// The interface to budgets: one counter per window, checked and booked in one step.
import type { BudgetWindow } from '../config/budget.ts';
import type { MaybePromise } from './maybe-promise.ts';

/** One counter that a booking touches. */
export interface BudgetLine {
  /** Unambiguous: names the owner, the unit and the window. */
  readonly name: string;
  /** Whether each subject has a counter of its own. */
  readonly isOfSubject: boolean;
  readonly window: BudgetWindow;
  /** Whole units. */
  readonly limit: number;
}

/** The counters that were booked on, in the store's own form; only `settle` can use them. */
export type BookedCounters = readonly unknown[];

export type BookingAnswer =
  | { readonly outcome: 'booked'; readonly counters: BookedCounters }
  /** `line` is the position of the first budget that does not cover it. */
  | { readonly outcome: 'exceeded'; readonly line: number; readonly endsInMs: number };

/** One booking on the budgets of one shard. */
export interface BudgetAsk {
  /** Unique. A booking repeated under the same id within two minutes is not made again. */
  readonly id: string;
  /** All lines of the shard. */
  readonly lines: readonly BudgetLine[];
  /** Who consumes; selects the counter of lines where each subject has its own. */
  readonly subject: string;
  /** Whole units. */
  readonly amount: number;
}

/** All lines of a shard are booked in one step. A shard is named after its client app; the account's shard has the empty name. */
export interface BudgetStore {
  /** Books the amount on all lines, or on none. An amount of 0 asks whether anything is left. */
  book(shard: string, ask: BudgetAsk): MaybePromise<BookingAnswer>;
  /** Books what has already been consumed, on all lines, whatever is left; the answer tells whether a budget was exceeded. */
  consume(shard: string, ask: BudgetAsk): MaybePromise<BookingAnswer>;
  /** Takes back a booking whose answer was not received, if it was made, and prevents it from being made later. */
  withdraw(shard: string, ask: BudgetAsk): MaybePromise<void>;
  /**
   * Corrects a booking once it is known what was consumed.
   * @param id of the correction; repeating it changes nothing
   */
  settle(shard: string, id: string, counters: BookedCounters, by: number): MaybePromise<void>;
}
