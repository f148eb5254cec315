// Work that needs a slot of concurrency and credits.

import type { SlotKind } from '../concurrency.ts';
import { problem } from '../problems.ts';
import type { Exchange } from './exchange.ts';

/** What is booked for one request. */
export interface Booking {
  /** Gives the slot back early: before the last byte, because a client that has seen the end may begin anew at once. */
  release(): void;
  /** Pays; false when the account's credits do not cover it, and then the refusal has been sent. */
  pay(credits: number): Promise<boolean>;
}

/** Runs the work while a slot is held; answers `concurrency_limited` where there is none. */
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
