// How many clients may be connected at a time. Each takes a file descriptor; whoever takes the last one takes it from the health check, and the
// orchestrator then ends a process that is well.
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';

/** Files, listeners, Redis, identity providers, and those who ask for health and metrics. */
const OWN = 64;

export interface ConnectionNeeds {
  /** Most connections that minting opens. */
  readonly mintConnections: number;
  /** A client may need a connection to Cartesia of its own. */
  readonly isCarrying: boolean;
}

/** @param openFiles as many as the process may have; `null` = nothing is known of a limit, and none is set */
export function connectionsMax(
  openFiles: number | null,
  { mintConnections, isCarrying }: ConnectionNeeds,
): number | null {
  if (openFiles === null) return null;
  const left = openFiles - OWN - mintConnections;
  return Math.max(Math.floor(openFiles / 4), Math.floor(isCarrying ? left / 2 : left));
}

/** Who comes when as many are connected is turned away at once, without an answer. `onTurnedAway`: told of each. */
export function boundConnections(server: Server, max: number | null, onTurnedAway: (max: number) => void): void {
  if (max === null) return;
  server.maxConnections = max;
  server.on('drop', () => onTurnedAway(max));
}

/** Node has raised its soft limit to the hard one. `null` where the system does not say, or sets none. */
export function openFilesMax(): number | null {
  try {
    const limit = OPEN_FILES.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return limit === undefined ? null : Number(limit);
  } catch {
    return null; // not Linux
  }
}

const OPEN_FILES = /^Max open files +(\d+)/m;
