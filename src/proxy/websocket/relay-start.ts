// A relay until it is open: who waits for the answer, and what the client has sent meanwhile. Let go as a whole then.
import type { Socket } from 'node:net';
import type { RelayOpening } from './relay-parts.ts';

/** What a client may send before it is accepted. */
const EARLY_MAX_BYTES = 64 * 1024;

export class RelayStart {
  readonly opening: RelayOpening;
  readonly early: Buffer[] = [];
  readonly #client: Socket;
  #earlyBytes = 0;

  constructor(opening: RelayOpening, client: Socket) {
    this.opening = opening;
    this.#client = client;
  }

  /** Keeps it for upstream; a client that sends too much of it is not read for now. */
  keep(chunk: Buffer): void {
    this.early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes > EARLY_MAX_BYTES) this.#client.pause();
  }
}
