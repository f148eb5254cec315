// Who takes nothing is not written to, and the other side is not read for it.
import type { Socket } from 'node:net';
import type { RelayClock } from './relay-clock.ts';
import type { UpstreamSocket } from './upstream-socket.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/** What may wait to be encrypted and sent: as much as two reads bring. */
const QUEUED_MAX_BYTES = 256 * 1024;

export class Backpressure {
  readonly #client: Socket;
  /**
   * TLS takes what is written into memory of its own at once, but says that it is done only when all is sent: waiting for that would stop
   * and start upstream with every read. What is written meanwhile is queued, and refers to the buffer that was read into.
   */
  readonly #isEncrypted: boolean;
  #isQueued = false;
  /** Writes that upstream waits for. */
  #waits = 0;
  readonly #clock: Pick<RelayClock, 'nowMs'>;
  /** Since when a side takes nothing, milliseconds of the clock; 0 = it takes. */
  #clientFullAtMs = 0;
  #upstreamFullAtMs = 0;
  #isClientHeld = false;

  constructor(client: Socket, clock: Pick<RelayClock, 'nowMs'>) {
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
    this.readClient();
  }

  /** The client is not read for a turn of the event loop: it has sent more than is looked at in one. */
  holdClient(): void {
    this.#isClientHeld = true;
    this.#client.pause();
  }

  get isClientHeld(): boolean {
    return this.#isClientHeld;
  }

  letClient(): void {
    this.#isClientHeld = false;
    this.readClient();
  }

  /** Unless there is a reason not to. */
  readClient(): void {
    if (!this.#isClientHeld && !this.isUpstreamFull) this.#client.resume();
  }

  /** Nothing more goes up. */
  upstreamIsOver(): void {
    this.#upstreamFullAtMs = 0;
    this.readClient();
  }

  /** Writes to the client, out of the buffer that was read into. */
  write(bytes: Buffer): void {
    this.#isQueued ||= this.#client.writableLength > 0;
    this.#client.write(bytes);
  }

  /** What was read is passed on. @param at how far: bytes before it are done with */
  passed(upstream: UpstreamSocket, at: number): void {
    const waiting = this.#client.writableLength;
    const loan = upstream.received.consume(at, this.#isEncrypted ? this.#isQueued : waiting > 0);
    this.#isQueued = false;
    // In the clear, what the kernel has not taken is written out of the buffer that was read into, so nothing more is read before it has.
    const isFull = waiting > (this.#isEncrypted ? QUEUED_MAX_BYTES : 0);
    if (isFull) this.#clientIsFull(upstream);
    if (!isFull && loan === null) return;
    this.#client.write(NOTHING, (error) => {
      if (error) return;
      loan?.over();
      if (isFull) this.#clientDrained(upstream);
    });
  }

  /** Upstream is not read until the client has taken what it was given so far. */
  #clientIsFull(upstream: UpstreamSocket): void {
    this.#waits += 1;
    if (this.#clientFullAtMs === 0) this.#clientFullAtMs = this.#clock.nowMs;
    upstream.pause();
  }

  /** What was written behind those writes, such as a ping, is not waited for. */
  #clientDrained(upstream: UpstreamSocket): void {
    this.#waits -= 1;
    if (this.#waits > 0) return;
    this.#clientFullAtMs = 0;
    upstream.resume();
  }

  /** Which side has taken nothing for longer than that. */
  stalled(nowMs: number, stallMs: number): 'client' | 'upstream' | null {
    if (this.#clientFullAtMs > 0 && nowMs - this.#clientFullAtMs > stallMs) return 'client';
    return this.#upstreamFullAtMs > 0 && nowMs - this.#upstreamFullAtMs > stallMs ? 'upstream' : null;
  }
}
