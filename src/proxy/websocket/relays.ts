// All sockets of this process: their common clock, their ping turns and their shutdown.
import { performance } from 'node:perf_hooks';
import { LiveList } from '../../collections/live-list.ts';
import type { Relay } from './relay.ts';
import { RELAY_TIMES, type RelayClock, type RelayTimes } from './relay-clock.ts';

export interface RelaysOptions {
  readonly times?: Partial<RelayTimes>;
  /** How often the clock is read; pings are rounded to it. Milliseconds. */
  readonly tickMs?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

const TICK_MS = 1000;
/** A tick that comes this much too late: the process stood still (the container or the machine was suspended) and heard nobody meanwhile. */
const STANDSTILL_MS = 2000;
/** Part of the drain deadline reserved for closing handshakes, and its largest share: most of a short deadline is for finishing. */
const CLOSING_MS = 1500;
const CLOSING_MAX_SHARE = 0.25;

export class Relays implements RelayClock {
  nowMs: number;
  readonly times: RelayTimes;
  readonly #now: () => number;
  readonly #tickMs: number;
  /** Ticks in a ping interval. Each socket pings at one of them, so that pings are spread over the interval. */
  readonly #turns: number;
  readonly #relays = new LiveList<Relay>();
  #timer: NodeJS.Timeout | null = null;
  #tick = 0;
  #lookedMs = 0;
  #nextTurn = 0;
  #isDraining = false;
  #emptied: (() => void) | null = null;

  constructor(options: RelaysOptions = {}) {
    const { times, tickMs = TICK_MS, now = () => performance.now() } = options;
    this.times = { ...RELAY_TIMES, ...times };
    this.#now = now;
    this.#tickMs = tickMs;
    this.#turns = Math.max(1, Math.round(this.times.pingMs / tickMs));
    this.nowMs = Math.max(1, now());
  }

  /** Number of sockets that are open, being opened or still closing. */
  get size(): number {
    return this.#relays.size;
  }

  /** The last part of a shutdown has begun: no new socket is accepted. */
  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Sockets that are added afterwards start from this time. */
  touch(): number {
    this.nowMs = Math.max(1, this.#now());
    return this.nowMs;
  }

  add(relay: Relay): void {
    relay.turn = this.#nextTurn++ % this.#turns;
    this.#relays.add(relay);
    if (this.#timer !== null) return;
    this.#lookedMs = this.touch();
    this.#timer = setInterval(() => this.#look(), this.#tickMs);
    this.#timer.unref(); // sockets keep the process alive, not their clock
  }

  /** Called when the client's connection is gone. */
  delete(relay: Relay): void {
    this.#relays.delete(relay);
    if (this.#relays.size > 0) return;
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#emptied?.();
  }

  /**
   * Closes sockets on which nothing is going on, lets the others finish but closes them shortly before the deadline, and cuts what is left at
   * the deadline.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    if (this.#relays.size === 0) return;
    const emptied = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    for (const relay of this.#relays.all()) relay.drain();
    const close = setTimeout(
      () => {
        for (const relay of this.#relays.all()) relay.endForRestart();
      },
      deadlineMs - Math.min(CLOSING_MS, deadlineMs * CLOSING_MAX_SHARE),
    );
    const cut = setTimeout(() => this.#cut(), deadlineMs);
    await emptied;
    clearTimeout(close);
    clearTimeout(cut);
  }

  #cut(): void {
    for (const relay of this.#relays.all()) {
      relay.destroy();
      this.delete(relay);
    }
  }

  #look(): void {
    const now = this.touch();
    const stoodStill = now - this.#lookedMs > this.#tickMs + STANDSTILL_MS;
    this.#lookedMs = now;
    this.#tick = (this.#tick + 1) % this.#turns;
    for (const relay of this.#relays.all()) {
      if (stoodStill) relay.listenAfresh();
      relay.look(now, relay.turn === this.#tick);
    }
  }
}
