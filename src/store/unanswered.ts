// What a store that is elsewhere leaves open.
import { Problem } from '../errors/problems.ts';

/** The cause of a `store_unavailable`: the store was asked, and its answer was not heard. */
export class Unanswered extends Error {}

/** Whether the store may have done, or may still do, what failed with this. What was never sent to it was not done. */
export function mayHaveBeenDone(error: unknown): boolean {
  return error instanceof Problem && error.cause instanceof Unanswered;
}
