// Tells apart failed calls to a remote store that may have taken effect and those that cannot have.
import { Problem } from '../errors/problems.ts';

/** The cause of a `store_unavailable` where the store was asked and its answer was not received. */
export class Unanswered extends Error {}

/** Whether the store may have carried out the call that failed with this, or may yet do so. A call that was never sent cannot have. */
export function mayHaveBeenDone(error: unknown): boolean {
  return error instanceof Problem && error.cause instanceof Unanswered;
}
