// Keeps track of turns among those who wait for a lease.

/** Turns taken by name; the name with the fewest is next. A newcomer starts at `floor`: earlier turns count neither for nor against it. */
export interface Turns {
  floor: number;
  readonly taken: Map<string, number>;
}

export function newTurns(): Turns {
  return { floor: 0, taken: new Map() };
}

export function turnsTaken(turns: Turns | undefined, name: string): number {
  return turns?.taken.get(name) ?? 0;
}

/** Called when the first ask of a name begins to wait. It cannot claim turns from before; those it misses from now on count. */
export function beginWaiting(turns: Turns, name: string): void {
  turns.taken.set(name, Math.max(turns.floor, turnsTaken(turns, name)));
}

export function takeTurn(turns: Turns, name: string, cost: number): void {
  const taken = turnsTaken(turns, name);
  turns.floor = Math.max(turns.floor, taken);
  turns.taken.set(name, taken + cost);
}

/** Called when no ask of a name waits any more. Its turns are kept only if above a newcomer's: many wait once and never again. */
export function endWaiting(turns: Turns, name: string): void {
  if (turnsTaken(turns, name) <= turns.floor) turns.taken.delete(name);
}
