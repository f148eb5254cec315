// Limits how many clients may be connected at a time. Each takes a file descriptor; once there are none left for the health check, the
// orchestrator ends a process that is well.
import { readFileSync } from 'node:fs';
import type { Server } from 'node:net';

/** Descriptors kept for files, listeners, Redis, identity providers, and requests for health and metrics. */
const OWN = 64;

export interface ConnectionNeeds {
  /** Most connections that minting opens. */
  readonly mintConnections: number;
  /** Whether a client may need a connection to Cartesia of its own. */
  readonly isCarrying: boolean;
}

/** @param openFiles most that the process may have open; `null` = no limit is known, so none is set on connections */
export function connectionsMax(
  openFiles: number | null,
  { mintConnections, isCarrying }: ConnectionNeeds,
): number | null {
  if (openFiles === null) return null;
  const left = openFiles - OWN - mintConnections;
  return Math.max(Math.floor(openFiles / 4), Math.floor(isCarrying ? left / 2 : left));
}

/** Disconnects further clients at once, without a response, while `max` are connected. `onTurnedAway` is called for each. */
export function boundConnections(server: Server, max: number | null, onTurnedAway: (max: number) => void): void {
  if (max === null) return;
  server.maxConnections = max;
  server.on('drop', () => onTurnedAway(max));
}

/** The soft limit, which Node has raised to the hard one. `null` if the system does not tell, or sets none. */
export function openFilesMax(): number | null {
  try {
    const limit = OPEN_FILES.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return limit === undefined ? null : Number(limit);
  } catch {
    return null; // not Linux
  }
}

const OPEN_FILES = /^Max open files +(\d+)/m;
