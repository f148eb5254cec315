// How long an agent's call has lasted: agents are charged for by time, so beginning and end are no ticks of a clock.
import type { ProtocolHost, SocketUsage } from './protocol.ts';

export class CallMeter {
  readonly usage: SocketUsage = { characters: 0, audioBytes: 0, audioSeconds: 0, callSeconds: 0 };
  #startedAtMs: number | null = null;

  /** Something of the client's goes up: whatever Cartesia makes of it, the call has begun. Later ones change nothing. */
  passed(clock: Pick<ProtocolHost, 'touch'>): void {
    this.#startedAtMs ??= clock.touch();
  }

  look(nowMs: number): void {
    if (this.#startedAtMs !== null) this.usage.callSeconds = Math.max(0, nowMs - this.#startedAtMs) / 1000;
  }
}
