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
  return turns === undefined ? 0 : Math.max(turns.floor, turns.taken.get(name) ?? 0);
}

export function takeTurn(turns: Turns, name: string, cost: number): void {
  turns.floor = turnsTaken(turns, name);
  turns.taken.set(name, turns.floor + cost);
}
