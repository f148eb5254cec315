// What remains of the request that opened a socket, for as long as the socket is open.
import type { Problem } from '../../errors/problems.ts';
import type { RingKey } from '../../upstream/key-ring.ts';
import type { RelayEnd } from './ending.ts';
import { CLOSE } from './frames/close-code.ts';
import type { SocketUsage } from './protocols/protocol.ts';
import type { Relay } from './relay.ts';
import type { RelayAccount } from './relay-parts.ts';
import type { Relays } from './relays.ts';
import { OPEN_GUARD, type SessionGuard } from './session-guard.ts';
import { SocketAccount, type SocketFacts, type SocketTelemetry } from './socket-account.ts';

/** Holds only strings and functions of its own: a reference to the request would keep it, with all its headers, while the socket is open. */
export class SocketSession implements RelayAccount {
  /** With which upstream was asked; `null` = it was not asked yet. */
  key: RingKey | null = null;
  /** Ends the socket: readers get their errors, then it is closed. */
  readonly cut: (problem: Problem) => void;
  readonly #relays: Relays;
  readonly #telemetry: SocketTelemetry;
  readonly #facts: SocketFacts;
  #relay: Relay | null = null;
  #account: SocketAccount | null = null;
  #guard: SessionGuard = OPEN_GUARD;
  #whenGone: (() => void) | null = null;
  #isGone = false;

  constructor(relays: Relays, telemetry: SocketTelemetry, facts: SocketFacts) {
    this.#relays = relays;
    this.#telemetry = telemetry;
    this.#facts = facts;
    this.cut = (problem) => this.#relay?.cut(problem, CLOSE.policy);
  }

  begin(relay: Relay): void {
    this.#relay = relay;
    this.#relays.add(relay);
  }

  get guard(): SessionGuard {
    return this.#guard;
  }

  /** @param listener called if the client leaves before the socket is guarded; at once if it has left already */
  whenGone(listener: () => void): void {
    if (this.#isGone) listener();
    else this.#whenGone = listener;
  }

  /** From now on only the guard's own `end` gives back what it holds: at once, it could be too early for upstream. */
  guardedBy(guard: SessionGuard): void {
    this.#guard = guard;
    this.#whenGone = null;
  }

  opened(): void {
    this.#account = new SocketAccount(this.#telemetry, this.#facts, this.#guard);
  }

  used(usage: Readonly<SocketUsage>): void {
    this.#account?.used(usage);
  }

  ended(end: RelayEnd, usage: Readonly<SocketUsage>): void {
    this.#account?.ended(end, usage);
  }

  gone(): void {
    this.#isGone = true;
    this.#whenGone?.();
    this.#whenGone = null;
    if (this.#relay !== null) this.#relays.delete(this.#relay);
  }
}
