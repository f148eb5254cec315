// Spreads a client's frames over turns of the event loop: what exceeds one turn's share waits for the next, and the client is not read.
import type { Backpressure } from './backpressure.ts';
import type { ClientFrames } from './frames/client-frames.ts';

export class ClientTurns {
  readonly #frames: ClientFrames;
  readonly #pressure: Backpressure;

  constructor(frames: ClientFrames, pressure: Backpressure) {
    this.#frames = frames;
    this.#pressure = pressure;
  }

  push(chunk: Buffer): void {
    this.#frames.push(chunk);
    if (!this.#frames.isSpent || this.#pressure.isClientHeld) return;
    this.#pressure.holdClient();
    setImmediate(readOn, this);
  }

  /** Continues in a new turn. */
  readOn(): void {
    this.#frames.readOn();
    if (this.#frames.isSpent) setImmediate(readOn, this);
    else this.#pressure.letClient();
  }
}

/** One function for all sockets instead of a closure for each, so that no socket keeps another alive. */
function readOn(turns: ClientTurns): void {
  turns.readOn();
}
