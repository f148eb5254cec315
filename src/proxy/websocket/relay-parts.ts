// What a relay is made of, and whom it tells what becomes of it.
import type { Socket } from 'node:net';
import type { Problem } from '../../errors/problems.ts';
import type { SignOfLife } from '../../upstream/endpoints.ts';
import type { ErrorAnswer } from '../upstream-error.ts';
import type { RelayEnd } from './ending.ts';
import type { Lifespan } from './liveness.ts';
import type { ProtocolHost, SocketProtocol, SocketUsage } from './protocols/protocol.ts';
import type { RelayClock, RelayTimes } from './relay-clock.ts';

export interface RelayParts extends Lifespan {
  readonly client: Socket;
  readonly times: RelayTimes;
  readonly clock: RelayClock;
  readonly requestId: string;
  readonly signOfLife: SignOfLife;
  readonly makeProtocol: (host: ProtocolHost) => SocketProtocol;
  readonly isRevealing: (text: string) => boolean;
  /** Upstream says on the open socket that it does not take our key. */
  readonly keyRefused: (status: number) => void;
  readonly account: RelayAccount;
}

/** Who is told of an open socket, for as long as it is. */
export interface RelayAccount {
  /** What was consumed so far: every five seconds, and at the end. */
  used(usage: Readonly<SocketUsage>): void;
  /** It is over. Told once. */
  ended(end: RelayEnd): void;
  /** The client's connection is gone, whether it was ever open or not. */
  gone(): void;
}

/** Who is told whether it opens at all: one of the two, once. Let go after that, as it holds the request. */
export interface RelayOpening {
  /** Upstream has accepted. @returns the answer that accepts the client too */
  accepted(upstreamRequestId: string | null): string;
  /** It never opened; the client has yet to be answered, unless it has gone (`null`). */
  refused(reason: ErrorAnswer | Problem | null): void;
}
