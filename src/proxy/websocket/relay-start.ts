// The state of a relay until it is open: the opening to report to, and what the client has sent in the meantime. Then dropped as a whole.
import type { Socket } from 'node:net';
import type { RelayOpening } from './relay-parts.ts';

/** How much a client may send before it is accepted. */
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

  /** Keeps a chunk for upstream; a client that has sent too much is not read for now. */
  keep(chunk: Buffer): void {
    this.early.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes > EARLY_MAX_BYTES) this.#client.pause();
  }
}
