// Measures how long an agent's call lasts. Agents are billed by time, so its beginning and end are not rounded to ticks of the clock.
import type { ProtocolHost, SocketUsage } from './protocol.ts';

export class CallMeter {
  readonly usage: SocketUsage = { characters: 0, audioBytes: 0, audioSeconds: 0, callSeconds: 0 };
  #startedAtMs: number | null = null;

  /** A message of the client's passes: whatever Cartesia makes of it, the call has begun. Later messages change nothing. */
  passed(clock: Pick<ProtocolHost, 'touch'>): void {
    this.#startedAtMs ??= clock.touch();
  }

  look(nowMs: number): void {
    if (this.#startedAtMs !== null) this.usage.callSeconds = Math.max(0, nowMs - this.#startedAtMs) / 1000;
  }
}
