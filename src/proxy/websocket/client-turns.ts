// What a client has sent beyond what one turn of the event loop takes waits for the next one, and so does the client.
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

  /** Another turn has come. */
  readOn(): void {
    this.#frames.readOn();
    if (this.#frames.isSpent) setImmediate(readOn, this);
    else this.#pressure.letClient();
  }
}

/** One function for all sockets, so that none holds another. */
function readOn(turns: ClientTurns): void {
  turns.readOn();
}
