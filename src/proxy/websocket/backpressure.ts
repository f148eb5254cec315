// Who takes nothing is not written to, and the other side is not read for it.
import type { Socket } from 'node:net';
import { giveBack } from './read-buffer.ts';
import type { RelayClock } from './relay-clock.ts';
import type { UpstreamSocket } from './upstream-socket.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/** What may wait to be encrypted: some frames of speech. */
const QUEUED_MAX_BYTES = 128 * 1024;

export class Backpressure {
  readonly #client: Socket;
  /**
   * TLS takes what is written into memory of its own at once, but says that it is done only when all is sent: waiting for that would stop
   * and start upstream with every read. What is written meanwhile is copied and queued.
   */
  readonly #isEncrypted: boolean;
  readonly #clock: RelayClock;
  /** Since when a side takes nothing, milliseconds of the clock; 0 = it takes. */
  #clientFullAtMs = 0;
  #upstreamFullAtMs = 0;

  constructor(client: Socket, clock: RelayClock) {
    this.#client = client;
    this.#isEncrypted = 'encrypted' in client;
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

  /** Writes to the client, out of the buffer that was read into. */
  write(bytes: Buffer): void {
    const isQueued = this.#isEncrypted && this.#client.writableLength > 0;
    this.#client.write(isQueued ? Buffer.from(bytes) : bytes);
  }

  /** What was read is passed on. @param at how far: bytes before it are done with */
  passed(upstream: UpstreamSocket, at: number): void {
    const { received } = upstream;
    if (this.#isEncrypted) {
      received.consume(at, false);
      if (this.#client.writableLength > QUEUED_MAX_BYTES) this.#clientIsFull(upstream, null);
    } else if (this.#client.writableLength === 0) received.consume(at, false);
    // The kernel has not taken everything: the write goes on in the buffer that was read into, so nothing more is read before it is over.
    else this.#clientIsFull(upstream, received.consume(at, true));
  }

  /** Upstream is not read until the client has taken everything. @param lent the buffer that is being written from, given back then */
  #clientIsFull(upstream: UpstreamSocket, lent: Buffer | null): void {
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
