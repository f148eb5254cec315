// One WebSocket through the broker: two sockets, spliced. Bytes pass unchanged, with backpressure; text messages are shown to the protocol.
// Whatever happens to one side, the other one is told and closed.
import type { Socket } from 'node:net';
import type { Listed } from '../../collections/live-list.ts';
import { Problem } from '../../errors/problems.ts';
import { problemOfFailure, type UpstreamFailure } from '../../upstream/upstream-failure.ts';
import type { ErrorAnswer } from '../upstream-error.ts';
import { Backpressure } from './backpressure.ts';
import { ClientTurns } from './client-turns.ts';
import {
  brokenByClient,
  brokenByUpstream,
  closedByClient,
  closedByUpstream,
  cutOff,
  type Ending,
  goneClient,
  lostUpstream,
} from './ending.ts';
import { closeClient, closeUpstream } from './farewell.ts';
import { ClientFrames, type ClientFramesOwner } from './frames/client-frames.ts';
import { CLOSE, type Closing, readClose } from './frames/close-code.ts';
import { makeFrame, makeTextFrame, OPCODE } from './frames/frame.ts';
import { UpstreamFrames, type UpstreamFramesOwner } from './frames/upstream-frames.ts';
import { Liveness } from './liveness.ts';
import type { ProtocolHost, SocketProtocol } from './protocols/protocol.ts';
import type { RelayOpening, RelayParts } from './relay-parts.ts';
import { RelayStart } from './relay-start.ts';
import { UnreadAnswers } from './unread-answers.ts';
import type { UpstreamSocket, UpstreamSocketOwner } from './upstream-socket.ts';

const NOTHING: Buffer = Buffer.alloc(0);
const PING_TO_CLIENT = makeFrame(OPCODE.ping, NOTHING, false);

export class Relay implements Listed, UpstreamSocketOwner, ProtocolHost, ClientFramesOwner, UpstreamFramesOwner {
  place = -1;
  /** The clock tick at which it pings. Only `Relays` writes it. */
  turn = 0;
  readonly requestId: string;
  readonly #parts: RelayParts;
  readonly #client: Socket;
  readonly #pressure: Backpressure;
  /** `null` once the opening has succeeded or failed. */
  #start: RelayStart | null;
  #upstream: UpstreamSocket | null = null;
  #protocol: SocketProtocol | null = null;
  #phase: 'connecting' | 'open' | 'closing' | 'over' = 'connecting';
  readonly #up = new ClientFrames(this);
  readonly #turns: ClientTurns;
  readonly #down = new UpstreamFrames(this);
  readonly #liveness: Liveness;
  readonly #unreadByClient = new UnreadAnswers();
  readonly #unreadByUpstream = new UnreadAnswers();
  #closeTimer: NodeJS.Timeout | null = null;

  /** Listens at once, so that a client that leaves while upstream is being connected ends that, too. */
  constructor(parts: RelayParts, opening: RelayOpening, head: Buffer) {
    this.#parts = parts;
    this.#start = new RelayStart(opening, parts.client);
    this.#liveness = new Liveness(parts, parts.clock.nowMs);
    this.#pressure = new Backpressure(parts.client, parts.clock, this.#liveness);
    this.#turns = new ClientTurns(this.#up, this.#pressure);
    this.requestId = parts.requestId;
    const { client } = parts;
    this.#client = client;
    client.setTimeout(0);
    client.setNoDelay(true);
    client.on('data', (chunk: Buffer) => this.#clientData(chunk));
    client.on('end', () => this.#clientGone());
    client.on('close', () => {
      this.#clientGone();
      parts.account.gone();
    });
    if (head.length > 0) this.#start.keep(head);
  }

  get nowMs(): number {
    return this.#parts.clock.nowMs;
  }

  touch(): number {
    return this.#parts.clock.touch();
  }

  get isClientFull(): boolean {
    return this.#pressure.isClientFull;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  get isOver(): boolean {
    return this.#phase === 'over';
  }

  get isListening(): boolean {
    return this.#phase === 'open' || this.#phase === 'closing';
  }

  get isBusy(): boolean {
    return this.#protocol?.isBusy ?? false;
  }

  /** @param connect begins the handshake with upstream */
  open(connect: (owner: UpstreamSocketOwner) => UpstreamSocket): void {
    if (this.#client.destroyed) this.#clientGone();
    else this.#upstream = connect(this);
  }

  /** Refuses the client before `open`. */
  refuse(problem: Problem): void {
    this.#endOpening(problem);
  }

  // Events of the upstream socket.

  upstreamAccepted(requestId: string | null): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'open';
    this.#liveness.isClientActive = true;
    const start = this.#start;
    this.#start = null;
    this.#client.write(start?.opening.accepted(requestId) ?? '', 'latin1');
    this.#protocol = this.#parts.makeProtocol(this);
    for (const chunk of start?.early ?? []) this.#clientData(chunk);
    if (this.#client.isPaused()) this.#pressure.readClient();
  }

  upstreamRefused(answer: ErrorAnswer): void {
    this.#endOpening(answer);
  }

  upstreamFailed(failure: UpstreamFailure): void {
    this.#endOpening(problemOfFailure(failure));
  }

  upstreamEnded(): void {
    this.#end(lostUpstream('upstream_unavailable', 'upstream connection lost'));
  }

  upstreamDrained(): void {
    this.#pressure.upstreamDrained();
  }

  upstreamRead(): void {
    const upstream = this.#upstream;
    if (upstream === null || this.#phase === 'connecting') return;
    const { received } = upstream;
    this.#liveness.isUpstreamAlive = true;
    const taken = this.#down.read(received.bytes, received.start, received.end);
    const at = this.isOpen ? taken : received.end;
    this.#pressure.passed(upstream, at);
  }

  // Events of upstream's frames.

  passDown(bytes: Buffer): void {
    if (this.isOpen) this.#pressure.write(bytes); // nothing may follow the close frame
  }

  textDown(bytes: Buffer, start: number, end: number): string | null {
    try {
      return this.#protocol?.upstreamText(bytes, start, end) ?? null;
    } catch (error) {
      this.failed(error);
      return null;
    }
  }

  controlDown(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping) this.#answerUpstream(makeFrame(OPCODE.pong, payload, true));
    if (opcode !== OPCODE.close) return;
    const closing = readClose(payload);
    if (typeof closing === 'number') this.violationDown(closing);
    else this.#end(closedByUpstream(closing, this.#parts.isRevealing));
  }

  violationDown(code: number): void {
    this.#end(brokenByUpstream(code));
  }

  // Events of the client's frames.

  passUp(bytes: Buffer): void {
    if (!this.isOpen || this.#upstream === null) return;
    if (!this.#upstream.write(bytes)) this.#pressure.upstreamIsFull();
  }

  textUp(payload: Buffer, keep: () => Buffer): boolean {
    if (this.#parts.signOfLife !== 'audio') this.#liveness.isClientActive = true;
    try {
      return this.isOpen && this.#protocol?.clientText(payload, keep) === 'pass';
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  binaryUp(isFirst: boolean): boolean {
    this.#liveness.isClientActive = true;
    if (!this.isOpen || this.#protocol === null) return false;
    try {
      this.#protocol.clientBinary(isFirst);
    } catch (error) {
      this.failed(error);
    }
    return this.isOpen && this.#protocol.takesBinary;
  }

  payloadUp(bytes: number): void {
    if (!this.isOpen) return;
    try {
      this.#protocol?.clientAudio(bytes);
    } catch (error) {
      this.failed(error);
    }
  }

  controlUp(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping && this.isOpen) {
      if (this.#parts.signOfLife === 'message_or_ping') this.#liveness.isClientActive = true;
      this.#answerClient(makeFrame(OPCODE.pong, payload, false), true);
    }
    if (opcode !== OPCODE.close) return;
    const closing = readClose(payload);
    if (typeof closing === 'number') this.violationUp(closing);
    else this.#clientCloses(closing);
  }

  violationUp(code: number): void {
    this.#end(brokenByClient(code));
    // What follows cannot be told apart from the broken message. It is read and discarded, because a socket that is closed with unread data
    // sends a reset, which overtakes the close frame.
    this.#hangUp();
  }

  // Called by the protocol.

  toClient(text: string): void {
    if (this.isOpen) this.#answerClient(makeTextFrame(text, false), false);
  }

  toUpstream(text: string): void {
    this.#up.send(makeTextFrame(text, true));
  }

  forward(frames: Buffer): void {
    this.#up.send(frames);
  }

  isRevealing(text: string): boolean {
    return this.#parts.isRevealing(text);
  }

  keyRefused(status: number): void {
    this.#parts.keyRefused(status);
  }

  /** While the socket is being opened, the problem becomes the response. */
  cut(problem: Problem, code: number): void {
    this.#endOpening(problem);
    this.#end(cutOff(problem, code));
  }

  failed(cause: unknown): void {
    this.cut(this.#reported(cause), CLOSE.internal);
  }

  // Called by the list of relays.

  /** This process stood still and could not hear anybody: silence counts from now, since what was sent meanwhile may still be unread. */
  listenAfresh(): void {
    this.#liveness.isClientActive = true;
    this.#pressure.restart();
    this.#protocol?.listenAfresh();
  }

  /** About once a second. @param isPingTurn `true` once in every ping interval */
  look(nowMs: number, isPingTurn: boolean): void {
    if (!this.isOpen) return;
    try {
      this.#protocol?.look();
      if (this.#protocol !== null) this.#parts.account.used(this.#protocol.usage);
    } catch (error) {
      this.failed(error);
      return;
    }
    const due = this.#liveness.due(nowMs, this.isBusy, isPingTurn, this.#pressure);
    if (due === 'ping') this.#ping();
    else if (due !== null) this.#end(due);
  }

  /** The process is shutting down: ends the socket now if nothing is going on or it is not open yet, otherwise when that is over. */
  drain(): void {
    this.#liveness.endsWhenIdle = true;
    if (!this.isBusy) this.endForRestart();
  }

  /** The process ends now. */
  endForRestart(): void {
    this.cut(new Problem('draining'), CLOSE.restart);
  }

  destroy(): void {
    this.#client.destroy();
    this.#upstream?.destroy();
  }

  #ping(): void {
    this.#liveness.pinged();
    this.#down.send(PING_TO_CLIENT, true);
    this.#up.send(makeFrame(OPCODE.ping, NOTHING, true));
  }

  #answerClient(frame: Buffer, isControl: boolean): void {
    const isNothingWaiting = this.#client.writableLength === 0 && !this.#down.hasWaiting;
    if (this.#unreadByClient.add(frame, isNothingWaiting)) this.#end(goneClient('broker', 'aborted'));
    else this.#down.send(frame, isControl);
  }

  #answerUpstream(frame: Buffer): void {
    const isNothingWaiting = this.#upstream?.pendingBytes === 0 && !this.#up.hasWaiting;
    if (this.#unreadByUpstream.add(frame, isNothingWaiting))
      this.#end(lostUpstream('upstream_timeout', 'upstream takes nothing'));
    else this.#up.send(frame);
  }

  #clientData(chunk: Buffer): void {
    this.#liveness.isClientAlive = true;
    if (this.#phase === 'connecting') this.#start?.keep(chunk);
    else if (this.#phase !== 'over') this.#turns.push(chunk);
  }

  // Ending.

  #clientCloses(closing: Closing): void {
    this.#end(closedByClient(closing));
    this.#hangUp();
  }

  /** Ignores what still arrives. The server ends the connection first (RFC 6455 §7.1.1); the client has a while to end its side. */
  #hangUp(): void {
    this.#phase = 'over';
    this.#client.end();
  }

  #clientGone(): void {
    this.#endOpening(null);
    this.#end(goneClient('client', 'aborted'));
    if (this.#closeTimer !== null) clearTimeout(this.#closeTimer);
    this.#phase = 'over';
    this.#client.destroy();
  }

  #endOpening(reason: ErrorAnswer | Problem | null): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'over';
    this.#upstream?.destroy();
    this.#start?.opening.refused(reason);
    this.#start = null;
  }

  /** Tells upstream to stop, then sends the client the errors that its readers wait for, and the close frame. */
  #end({ toClient, toUpstream, problem, occasion = 'other', by, outcome }: Ending): void {
    const protocol = this.#protocol;
    const upstream = this.#upstream;
    if (!this.isOpen || protocol === null || upstream === null) return;
    const { account, times } = this.#parts;
    let errors: readonly string[] = [];
    let cancels: readonly string[] = [];
    this.#attempt(() => {
      if (problem !== null) errors = protocol.farewell(problem, occasion);
      cancels = protocol.cancels();
    });
    closeUpstream(upstream, this.#up, toUpstream, { cancels, lingerMs: times.closeMs });
    this.#attempt(() => protocol.end());
    // A client that has part of a message can be sent no close frame; its own may have come all the same.
    const isUntold = toClient === null || (by !== 'client' && this.#down.isMidMessage);
    account.ended({ by, outcome, code: isUntold ? 1006 : (toClient.code ?? 1005) }, protocol.usage);
    const isTold = toClient !== null && closeClient(this.#client, this.#down, toClient, errors);
    this.#phase = 'closing';
    if (!isTold) {
      this.#clientGone();
      return;
    }
    // A client that ends the socket itself, or breaks the protocol, waits for nothing that it has not taken yet.
    const isWaiting = by !== 'client' && occasion !== 'unread_message';
    this.#awaitClientEnd(this.nowMs + (isWaiting ? times.clientStallMs : 0));
    this.#pressure.upstreamIsOver();
  }

  /** What goes wrong here must not keep the socket from ending. */
  #attempt(handle: () => void): void {
    try {
      handle();
    } catch (error) {
      this.#reported(error);
    }
  }

  #reported(cause: unknown): Problem {
    const problem = new Problem('internal_error', undefined, { cause });
    this.#parts.account.failed(problem);
    return problem;
  }

  /** Gives the client a while to end its side; longer if it has not even taken our last frames, as it may be behind. */
  #awaitClientEnd(untilMs: number): void {
    this.#closeTimer = setTimeout(() => {
      if (this.#client.writableLength > 0 && this.nowMs < untilMs) this.#awaitClientEnd(untilMs);
      else this.#clientGone();
    }, this.#parts.times.closeMs);
  }
}
