// What a relay needs, and the interfaces through which it reports what becomes of it.
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
  /** Called when upstream says on the open socket that it rejects our key. */
  readonly keyRefused: (status: number) => void;
  readonly account: RelayAccount;
}

/** Receives reports about a socket for as long as it is open. */
export interface RelayAccount {
  /** The total consumed so far. Called about once a second. */
  used(usage: Readonly<SocketUsage>): void;
  /** The socket is over. Called once. @param usage the total consumed */
  ended(end: RelayEnd, usage: Readonly<SocketUsage>): void;
  /** The broker failed while it handled a message; the socket ends. */
  failed(problem: Problem): void;
  /** The client's connection is gone, whether or not the socket was ever open. */
  gone(): void;
}

/** Learns whether the socket opens: one of the two is called, once. The relay drops it afterwards, because it holds the request. */
export interface RelayOpening {
  /** Upstream has accepted. @returns the response that accepts the client */
  accepted(upstreamRequestId: string | null): string;
  /** It does not open. The client still needs a response, unless it has gone (`null`). */
  refused(reason: ErrorAnswer | Problem | null): void;
}
