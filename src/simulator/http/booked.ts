// Runs work that needs a concurrency slot and credits.

import type { SlotKind } from '../concurrency.ts';
import { problem } from '../problems.ts';
import type { Exchange } from './exchange.ts';

/** The slot and the payment of one request. */
export interface Booking {
  /** Returns the slot early: before the last byte, because a client that has seen the end may begin anew at once. */
  release(): void;
  /** Pays. If the account's credits do not cover it, sends the refusal and returns false. */
  pay(credits: number): Promise<boolean>;
}

/** Runs the work while holding a slot; responds with `concurrency_limited` if there is none. */
export async function booked(
  exchange: Exchange,
  kind: SlotKind,
  work: (booking: Booking) => Promise<void>,
): Promise<void> {
  const { settings, concurrency, credits } = exchange.world;
  const slot = concurrency.take(kind);
  if (slot === null) return exchange.sendProblem(problem(settings, 'concurrency_limited'));
  const pay = async (amount: number) => {
    if (credits.spend(amount)) return true;
    slot.release();
    await exchange.sendProblem(problem(settings, 'quota_exceeded'));
    return false;
  };
  try {
    await work({ release: () => slot.release(), pay });
  } finally {
    slot.release();
  }
}
