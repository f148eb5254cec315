// One WebSocket through the broker: two sockets, spliced. Bytes pass as they came, with backpressure; text messages are shown to the
// protocol. Whatever happens to one side, the other one is told and ended.
import type { Socket } from 'node:net';
import type { Listed } from '../../collections/live-list.ts';
import { Problem } from '../../errors/problems.ts';
import { toProblem, UpstreamFailure } from '../../upstream/upstream-failure.ts';
import type { ErrorAnswer } from '../upstream-error.ts';
import { Backpressure } from './backpressure.ts';
import { ClientFrames, type ClientFramesOwner } from './client-frames.ts';
import { CLOSE, type Closing, passedClosing, readClose } from './close-code.ts';
import { closeClient, closeUpstream, GOING_AWAY, NORMAL, VIOLATION_REASONS } from './farewell.ts';
import { makeFrame, makeTextFrame, OPCODE } from './frame.ts';
import type { ProtocolHost, SocketProtocol } from './protocol.ts';
import type { RelayEnd, RelayOpening, RelayParts } from './relay-parts.ts';
import { RelayStart } from './relay-start.ts';
import { UpstreamFrames, type UpstreamFramesOwner } from './upstream-frames.ts';
import type { UpstreamSocket, UpstreamSocketOwner } from './upstream-socket.ts';

/** Answers to pings, errors and the like that wait for a client which does not read. */
const PENDING_MAX_BYTES = 512 * 1024;

const NOTHING: Buffer = Buffer.alloc(0);
const PING_TO_CLIENT = makeFrame(OPCODE.ping, NOTHING, false);
/** How late a spent budget may end a socket. */
const USAGE_MS = 5_000;

export class Relay implements Listed, UpstreamSocketOwner, ProtocolHost, ClientFramesOwner, UpstreamFramesOwner {
  place = -1;
  /** At which of the clock's ticks it pings. Only the list of relays writes it. */
  turn = 0;
  readonly requestId: string;
  readonly #parts: RelayParts;
  readonly #client: Socket;
  readonly #pressure: Backpressure;
  /** Until it is open. */
  #start: RelayStart | null;
  #upstream: UpstreamSocket | null = null;
  #protocol: SocketProtocol | null = null;
  #phase: 'connecting' | 'open' | 'closing' | 'over' = 'connecting';
  readonly #up = new ClientFrames(this);
  readonly #down = new UpstreamFrames(this);
  #lastActiveMs: number;
  #toldAtMs = 0;
  #isClientAlive = true;
  #isUpstreamAlive = true;
  #endsWhenIdle = false;
  #closeTimer: NodeJS.Timeout | null = null;

  /** Listens at once: a client that leaves while upstream is being connected ends that too. */
  constructor(parts: RelayParts, opening: RelayOpening, head: Buffer) {
    this.#parts = parts;
    this.#start = new RelayStart(opening, parts.client);
    this.#pressure = new Backpressure(parts.client, parts.clock);
    this.requestId = parts.requestId;
    this.#lastActiveMs = parts.clock.nowMs;
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

  /** Before it was opened. */
  refuse(problem: Problem): void {
    this.#endOpening(problem);
  }

  // What the upstream socket tells.

  upstreamAccepted(requestId: string | null): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'open';
    this.#lastActiveMs = this.nowMs;
    const start = this.#start;
    this.#start = null;
    this.#client.write(start?.opening.accepted(requestId) ?? '', 'latin1');
    this.#protocol = this.#parts.makeProtocol(this);
    for (const chunk of start?.early ?? []) this.#clientData(chunk);
    if (!this.#pressure.isUpstreamFull && this.#client.isPaused()) this.#client.resume();
  }

  upstreamRefused(answer: ErrorAnswer): void {
    this.#endOpening(answer);
  }

  upstreamFailed(failure: UpstreamFailure): void {
    this.#endOpening(toProblem(failure));
  }

  upstreamEnded(): void {
    this.#lose('upstream_unavailable', 'upstream connection lost');
  }

  upstreamDrained(): void {
    this.#pressure.upstreamDrained();
  }

  upstreamRead(): void {
    const upstream = this.#upstream;
    if (upstream === null || this.#phase === 'connecting') return;
    const { received } = upstream;
    this.#isUpstreamAlive = true;
    const taken = this.#down.read(received.bytes, received.end);
    const at = this.isOpen ? taken : received.end;
    this.#pressure.passed(upstream, at);
  }

  // What the frames of upstream's tell.

  passDown(bytes: Buffer): void {
    this.#pressure.write(bytes);
    // Who makes us answer without reading the answers is cut.
    if (this.#client.writableLength > PENDING_MAX_BYTES) this.#abandon('broker', 'aborted');
  }

  textDown(bytes: Buffer, start: number, end: number): string | null {
    return this.#protocol?.upstreamText(bytes, start, end) ?? null;
  }

  controlDown(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping) this.#up.send(makeFrame(OPCODE.pong, payload, true));
    if (opcode !== OPCODE.close) return;
    const closing = readClose(payload);
    if (typeof closing === 'number') this.violationDown(closing);
    else this.#upstreamCloses(closing);
  }

  violationDown(code: number): void {
    const cause = new UpstreamFailure('malformed', `frame ${code}`);
    this.#finish(
      { code: CLOSE.internal, reason: 'upstream broke the protocol' },
      { code, reason: '' },
      new Problem('upstream_unavailable', undefined, { cause }),
      { by: 'upstream', outcome: 'upstream_unavailable' },
    );
  }

  // What the frames of the client's tell.

  passUp(bytes: Buffer): void {
    if (!this.isOpen || this.#upstream === null) return;
    if (!this.#upstream.write(bytes)) this.#pressure.upstreamIsFull();
  }

  textUp(payload: Buffer, keep: () => Buffer): boolean {
    this.#lastActiveMs = this.nowMs;
    return this.isOpen && this.#protocol?.clientText(payload, keep) === 'pass';
  }

  binaryUp(payloadBytes: number, isFirst: boolean): boolean {
    this.#lastActiveMs = this.nowMs;
    if (!this.isOpen || this.#protocol === null) return false;
    this.#protocol.clientBinary(payloadBytes, isFirst);
    return this.#protocol.takesBinary;
  }

  controlUp(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.ping && this.isOpen) {
      if (this.#parts.pingsCount) this.#lastActiveMs = this.nowMs;
      this.#down.send(makeFrame(OPCODE.pong, payload, false), true);
    }
    if (opcode !== OPCODE.close) return;
    const closing = readClose(payload);
    if (typeof closing === 'number') this.violationUp(closing);
    else this.#clientCloses(closing);
  }

  violationUp(code: number): void {
    if (!this.isOpen) {
      this.#clientGone();
      return;
    }
    const reason = VIOLATION_REASONS[code] ?? '';
    this.#finish({ code, reason }, GOING_AWAY, null, { by: 'broker', outcome: 'invalid_request' });
  }

  // What the protocol does.

  toClient(text: string): void {
    if (this.isOpen) this.#down.send(makeTextFrame(text, false), false);
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

  cut(problem: Problem, code: number): void {
    // The code, which programs read, fits into a close frame; the sentence goes out before it, where there is a place for it.
    this.#finish({ code, reason: problem.errorCode ?? problem.code }, GOING_AWAY, problem, {
      by: 'broker',
      outcome: problem.code,
    });
  }

  // What the clock tells.

  /** About once a second. @param isPingTurn once in every ping interval */
  look(nowMs: number, isPingTurn: boolean): void {
    if (!this.isOpen) return;
    const { times, endsAtMs, expiresAtMs, idleMs } = this.#parts;
    this.#protocol?.look();
    if (this.#protocol !== null && nowMs - this.#toldAtMs >= USAGE_MS) {
      this.#toldAtMs = nowMs;
      this.#parts.account.used(this.#protocol.usage);
    }
    const stalled = this.#pressure.stalled(nowMs, times.stallMs);
    if (nowMs >= expiresAtMs) this.cut(new Problem('token_expired'), CLOSE.policy);
    else if (nowMs >= endsAtMs) this.cut(new Problem('session_ended'), CLOSE.goingAway);
    else if (stalled === 'client') this.#abandon('broker', 'aborted');
    else if (stalled === 'upstream') this.#lose('upstream_timeout', 'upstream takes nothing');
    else if (!this.isBusy && nowMs - this.#lastActiveMs > idleMs) {
      const closing = { code: CLOSE.normal, reason: 'connection idle timeout' };
      this.#finish(closing, NORMAL, null, { by: 'broker', outcome: 'idle' });
    } else if (this.#endsWhenIdle && !this.isBusy) this.endForRestart();
    else if (isPingTurn) this.#ping();
  }

  /** The process is to end: at once where nothing is going on, otherwise when that is over. */
  drain(): void {
    this.#endsWhenIdle = true;
    if (this.isOpen && !this.isBusy) this.endForRestart();
  }

  /** The process ends now. */
  endForRestart(): void {
    this.#endOpening(new Problem('draining'));
    this.cut(new Problem('draining'), CLOSE.restart);
  }

  destroy(): void {
    this.#client.destroy();
    this.#upstream?.destroy();
  }

  #ping(): void {
    // A side that is not being read cannot show that it lives.
    if (!this.#isClientAlive && !this.#pressure.isUpstreamFull) this.#abandon('client', 'dead_peer');
    else if (!this.#isUpstreamAlive && !this.#pressure.isClientFull) {
      this.#lose('upstream_timeout', 'upstream does not answer');
    } else {
      this.#isClientAlive = false;
      this.#isUpstreamAlive = false;
      this.#down.send(PING_TO_CLIENT, true);
      this.#up.send(makeFrame(OPCODE.ping, NOTHING, true));
    }
  }

  #clientData(chunk: Buffer): void {
    this.#isClientAlive = true;
    if (this.#phase === 'connecting') this.#start?.keep(chunk);
    else if (this.#phase !== 'over') this.#up.push(chunk);
  }

  // Ends.

  #upstreamCloses(closing: Closing): void {
    const { code, reason } = passedClosing(closing);
    this.#finish(
      { code, reason: this.isRevealing(reason) ? '' : reason },
      { code: closing.code, reason: '' },
      new Problem('upstream_unavailable', 'Cartesia closed the connection.'),
      { by: 'upstream', outcome: 'ok' },
    );
  }

  #clientCloses(closing: Closing): void {
    this.#finish(closing, passedClosing(closing), null, { by: 'client', outcome: 'ok' });
    // Both sides have said it: ours is the side that ends the connection (RFC 6455 §7.1.1).
    this.#phase = 'over';
    this.#client.end();
  }

  #clientGone(): void {
    this.#endOpening(null);
    this.#abandon('client', 'aborted');
    if (this.#closeTimer !== null) clearTimeout(this.#closeTimer);
    this.#phase = 'over';
    this.#client.destroy();
  }

  #lose(code: 'upstream_unavailable' | 'upstream_timeout', reason: string): void {
    this.#finish({ code: CLOSE.internal, reason }, GOING_AWAY, new Problem(code), { by: 'upstream', outcome: code });
  }

  #endOpening(reason: ErrorAnswer | Problem | null): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'over';
    this.#upstream?.destroy();
    this.#start?.opening.refused(reason);
    this.#start = null;
  }

  /** Nobody is left to be told. */
  #abandon(by: RelayEnd['by'], outcome: string): void {
    if (!this.isOpen) return;
    this.#endUpstream(GOING_AWAY);
    this.#settle({ by, code: 1006, outcome });
    this.#phase = 'over';
    this.#client.destroy();
  }

  /**
   * The orderly end: upstream is told to stop, then the client gets the errors that its readers wait for, and the close frame.
   * @param problem what the errors say; `null` = the client ends it itself, or nothing is going on
   */
  #finish(
    toClient: Closing,
    toUpstream: Closing,
    problem: Problem | null,
    end: Pick<RelayEnd, 'by' | 'outcome'>,
  ): void {
    if (!this.isOpen) return;
    const errors = problem === null ? [] : (this.#protocol?.farewell(problem) ?? []);
    this.#endUpstream(toUpstream);
    this.#settle({ ...end, code: toClient.code ?? 1005 });
    this.#phase = 'closing';
    if (!closeClient(this.#client, this.#down, toClient, errors)) {
      this.#clientGone();
      return;
    }
    this.#closeTimer = setTimeout(() => this.#clientGone(), this.#parts.times.closeMs);
    this.#client.resume();
  }

  #endUpstream(closing: Closing): void {
    if (this.#upstream === null) return;
    const cancels = this.#protocol?.cancels() ?? [];
    closeUpstream(this.#upstream, this.#up, closing, { cancels, lingerMs: this.#parts.times.closeMs });
  }

  #settle(end: RelayEnd): void {
    this.#protocol?.end();
    if (this.#protocol !== null) this.#parts.account.used(this.#protocol.usage);
    this.#parts.account.ended(end);
  }
}
