// Decides whether a socket may stay open: both sides are alive and take what they are sent, it is not idle, and its time is not over. Checked
// about once a second; in between, only flags are set.
import { Problem } from '../../errors/problems.ts';
import type { Backpressure, StallTimes } from './backpressure.ts';
import { cutOff, type Ending, goneClient, IDLE, lostUpstream } from './ending.ts';
import { CLOSE } from './frames/close-code.ts';

export interface Lifespan {
  readonly times: StallTimes;
  /** When its maximum duration and its credential end it; milliseconds of the clock, `Infinity` = never. */
  readonly endsAtMs: number;
  readonly expiresAtMs: number;
  /** How long the client may send nothing while nothing else is going on. */
  readonly idleMs: number;
}

export class Liveness {
  /** The client has been active since the last look. */
  isClientActive = false;
  /** Whether a side was heard from since it was last pinged. */
  isClientAlive = true;
  isUpstreamAlive = true;
  /** The process is shutting down: the socket ends as soon as nothing is going on. */
  endsWhenIdle = false;
  readonly #lifespan: Lifespan;
  #silentSinceMs: number;
  #wasBusy = false;

  constructor(lifespan: Lifespan, nowMs: number) {
    this.#lifespan = lifespan;
    this.#silentSinceMs = nowMs;
  }

  /** Both sides are being pinged; until they are heard from, they may be dead. */
  pinged(): void {
    this.isClientAlive = false;
    this.isUpstreamAlive = false;
  }

  /**
   * What to do now: an ending, pings to both sides, or nothing.
   * @param isBusy something is going on, so silence does not count as idle
   * @param isPingTurn `true` once in every ping interval
   */
  due(
    nowMs: number,
    isBusy: boolean,
    isPingTurn: boolean,
    pressure: Pick<Backpressure, 'stalled' | 'isClientFull' | 'isUpstreamFull'>,
  ): Ending | 'ping' | null {
    const { times, endsAtMs, expiresAtMs, idleMs } = this.#lifespan;
    this.#listen(nowMs, isBusy);
    if (nowMs >= expiresAtMs) return cutOff(new Problem('token_expired'), CLOSE.policy);
    if (nowMs >= endsAtMs) return cutOff(new Problem('session_ended'), CLOSE.goingAway);
    const stalled = pressure.stalled(nowMs, times);
    if (stalled === 'client') return goneClient('broker', 'aborted');
    if (stalled === 'upstream') return lostUpstream('upstream_timeout', 'upstream takes nothing');
    if (nowMs - this.#silentSinceMs > idleMs) return IDLE;
    if (!isBusy && this.endsWhenIdle) return cutOff(new Problem('draining'), CLOSE.restart);
    if (!isPingTurn) return null;
    // A side that is not being read cannot show that it is alive, and a client that is behind gets to the ping only later.
    if (!this.isClientAlive && !pressure.isUpstreamFull && !pressure.isClientFull)
      return goneClient('client', 'dead_peer');
    if (!this.isUpstreamAlive && !pressure.isClientFull)
      return lostUpstream('upstream_timeout', 'upstream does not answer');
    return 'ping';
  }

  /** Activity since the last look may have been just now, so idle sockets are ended slightly late, never early. */
  #listen(nowMs: number, isBusy: boolean): void {
    if (this.isClientActive || isBusy || this.#wasBusy) this.#silentSinceMs = nowMs;
    this.isClientActive = false;
    this.#wasBusy = isBusy;
  }
}
