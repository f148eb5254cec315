// Backpressure between the sides of a relay: while one side does not take what waits for it, the other one is not read.
import type { Socket } from 'node:net';
import type { RelayClock, RelayTimes } from './relay-clock.ts';
import type { UpstreamSocket } from './upstream-socket.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/** How much may wait to be encrypted and sent: as much as two reads bring. */
const QUEUED_MAX_BYTES = 256 * 1024;

export type StallTimes = Pick<RelayTimes, 'clientStallMs' | 'stallMs'>;

export class Backpressure {
  readonly #client: Socket;
  /**
   * TLS copies what is written at once, but reports that it is done only when all is sent: waiting for that would pause and resume upstream
   * with every read. What is written in the meantime is queued, and refers to the buffer that was read into.
   */
  readonly #isEncrypted: boolean;
  #isQueued = false;
  /** Number of writes that must finish before upstream is read again. */
  #waits = 0;
  readonly #clock: Pick<RelayClock, 'nowMs'>;
  readonly #liveness: { isClientAlive: boolean };
  /** Since when a side takes nothing, milliseconds of the clock; 0 = it keeps up. */
  #clientFullAtMs = 0;
  #upstreamFullAtMs = 0;
  #isClientHeld = false;

  constructor(client: Socket, clock: Pick<RelayClock, 'nowMs'>, liveness: { isClientAlive: boolean }) {
    this.#client = client;
    this.#liveness = liveness;
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

  /** The client is not read until the next turn of the event loop: it has sent more than is processed in one. */
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

  /** Reads the client, unless it is held or upstream is full. */
  readClient(): void {
    if (!this.#isClientHeld && !this.isUpstreamFull) this.#client.resume();
  }

  /** Nothing more is sent to upstream. */
  upstreamIsOver(): void {
    this.#upstreamFullAtMs = 0;
    this.readClient();
  }

  /** Writes to the client, straight from the buffer that was read into. */
  write(bytes: Buffer): void {
    this.#isQueued ||= this.#client.writableLength > 0;
    this.#client.write(bytes);
  }

  /** Called when what was read has been passed on. @param at bytes before it are finished with */
  passed(upstream: UpstreamSocket, at: number): void {
    const waiting = this.#client.writableLength;
    const lent = upstream.received.consume(at, this.#isEncrypted ? this.#isQueued : waiting > 0);
    this.#isQueued = false;
    // Without TLS, what the kernel has not taken is still in the buffer that was read into, so nothing more is read until it has.
    const isFull = waiting > (this.#isEncrypted ? QUEUED_MAX_BYTES : 0);
    if (isFull) this.#clientIsFull(upstream);
    if (!isFull && lent === null) return;
    this.#client.write(NOTHING, (error) => {
      if (error) return;
      lent?.over();
      if (isFull) this.#clientDrained(upstream);
    });
  }

  /** Upstream is not read until the client has taken what was written so far. */
  #clientIsFull(upstream: UpstreamSocket): void {
    this.#waits += 1;
    if (this.#clientFullAtMs === 0) this.#clientFullAtMs = this.#clock.nowMs;
    upstream.pause();
  }

  /** What was written after those writes, such as a ping, is not waited for. */
  #clientDrained(upstream: UpstreamSocket): void {
    this.#liveness.isClientAlive = true; // a slow reader answers a ping only after it has read everything before it
    this.#waits -= 1;
    if (this.#waits > 0) return;
    this.#clientFullAtMs = 0;
    upstream.resume();
  }

  /** Both sides get their whole time again. */
  restart(): void {
    if (this.isClientFull) this.#clientFullAtMs = this.#clock.nowMs;
    if (this.isUpstreamFull) this.#upstreamFullAtMs = this.#clock.nowMs;
  }

  /** Which side has taken nothing for longer than it may. */
  stalled(nowMs: number, { clientStallMs, stallMs }: StallTimes): 'client' | 'upstream' | null {
    if (this.#clientFullAtMs > 0 && nowMs - this.#clientFullAtMs > clientStallMs) return 'client';
    return this.#upstreamFullAtMs > 0 && nowMs - this.#upstreamFullAtMs > stallMs ? 'upstream' : null;
  }
}
