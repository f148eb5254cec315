// Whose turn it is among those who wait for a lease.

/** Turns taken: the one with the fewest is next. `floor` is where a newcomer starts, so that it neither waits for nor overtakes the others' past. */
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

/** Its first ask waits: what it did not use while it did not wait is forgotten. What it does not get from now on is not. */
export function beginWaiting(turns: Turns, name: string): void {
  turns.taken.set(name, Math.max(turns.floor, turnsTaken(turns, name)));
}

export function takeTurn(turns: Turns, name: string, cost: number): void {
  const taken = turnsTaken(turns, name);
  turns.floor = Math.max(turns.floor, taken);
  turns.taken.set(name, taken + cost);
}

/** Nothing of its waits any more. What it has taken is only remembered where it is more than a newcomer's: many wait once and never again. */
export function endWaiting(turns: Turns, name: string): void {
  if (turnsTaken(turns, name) <= turns.floor) turns.taken.delete(name);
}
