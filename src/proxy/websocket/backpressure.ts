// Who takes nothing is not written to, and the other side is not read for it.
import type { Socket } from 'node:net';
import { giveBack } from './read-buffer.ts';
import type { RelayClock } from './relay-clock.ts';
import type { UpstreamSocket } from './upstream-socket.ts';

const NOTHING: Buffer = Buffer.alloc(0);

export class Backpressure {
  readonly #client: Socket;
  readonly #clock: RelayClock;
  /** Since when a side takes nothing, milliseconds of the clock; 0 = it takes. */
  #clientFullAtMs = 0;
  #upstreamFullAtMs = 0;

  constructor(client: Socket, clock: RelayClock) {
    this.#client = client;
    this.#clock = clock;
  }

  get isClientFull(): boolean {
    return this.#clientFullAtMs > 0;
  }

  get isUpstreamFull(): boolean {
    return this.#upstreamFullAtMs > 0;
  }

  /** The client is not read until upstream has drained. */
  upstreamIsFull(): void {
    if (this.#upstreamFullAtMs > 0) return;
    this.#upstreamFullAtMs = this.#clock.nowMs;
    this.#client.pause();
  }

  upstreamDrained(): void {
    if (this.#upstreamFullAtMs === 0) return;
    this.#upstreamFullAtMs = 0;
    this.#client.resume();
  }

  /** Upstream is not read until the client has taken everything. @param lent the buffer that is being written from, given back then */
  clientIsFull(upstream: UpstreamSocket, lent: Buffer | null): void {
    if (this.#clientFullAtMs === 0) this.#clientFullAtMs = this.#clock.nowMs;
    upstream.pause();
    this.#client.write(NOTHING, (error) => {
      if (error) return;
      if (lent !== null) giveBack(lent);
      if (this.#client.writableLength > 0) return; // the last of these writes resumes
      this.#clientFullAtMs = 0;
      upstream.resume();
    });
  }

  /** Which side has taken nothing for longer than that. */
  stalled(nowMs: number, stallMs: number): 'client' | 'upstream' | null {
    if (this.#clientFullAtMs > 0 && nowMs - this.#clientFullAtMs > stallMs) return 'client';
    return this.#upstreamFullAtMs > 0 && nowMs - this.#upstreamFullAtMs > stallMs ? 'upstream' : null;
  }
}
