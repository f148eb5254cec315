// One WebSocket through the broker: two sockets, spliced. Bytes pass as they came, with backpressure; frame headers are walked, text
// messages are shown to the protocol, control frames end here. Whatever happens to one side, the other one is told and ended.
import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { Problem } from '../../errors/problems.ts';
import { toProblem, UpstreamFailure } from '../../upstream/upstream-failure.ts';
import type { ErrorAnswer } from '../upstream-error.ts';
import { CLOSE, type Closing, passedClosing, readClose } from './close-code.ts';
import { HEADER_MAX_BYTES, makeCloseFrame, makeFrame, makeTextFrame, OPCODE, unmask } from './frame.ts';
import { FrameHeader, type FrameRules, VIOLATION } from './frame-header.ts';
import type { ProtocolHost, SocketProtocol, SocketUsage } from './protocol.ts';
import { giveBack, LARGE_BYTES } from './read-buffer.ts';
import type { RelayClock } from './relay-clock.ts';
import type { UpstreamSocket, UpstreamSocketOwner } from './upstream-socket.ts';
import { Utf8Check } from './utf8-check.ts';

/** Milliseconds, all of them. */
export interface RelayTimes {
  /** Between two pings; a peer that says nothing from one to the next is dead. */
  readonly pingMs: number;
  /** How long a side may take nothing of what waits for it. */
  readonly stallMs: number;
  /** How long a side has to answer a close frame. */
  readonly closeMs: number;
}

export const RELAY_TIMES: RelayTimes = { pingMs: 30_000, stallMs: 30_000, closeMs: 2000 };

/** How a socket ended. */
export interface RelayEnd {
  readonly by: 'client' | 'upstream' | 'broker';
  /** What the client was told, or has said; 1006 where nothing was said. */
  readonly code: number;
  /** `ok`, or the code of the problem that ended it. */
  readonly outcome: string;
}

export interface RelayParts {
  readonly client: Socket;
  readonly times: RelayTimes;
  readonly clock: RelayClock;
  readonly requestId: string;
  /** For how long at most, and when its credential ends it; milliseconds of the clock, `Infinity` = never. */
  readonly endsAtMs: number;
  readonly expiresAtMs: number;
  /** Without anything of the client's, while nothing is going on. */
  readonly idleMs: number;
  /** Whether a ping of the client's counts as something. */
  readonly pingsCount: boolean;
  readonly makeProtocol: (host: ProtocolHost) => SocketProtocol;
  readonly isRevealing: (text: string) => boolean;
  readonly account: RelayAccount;
}

/** Who is told of an open socket, for as long as it is. */
export interface RelayAccount {
  /** What was consumed so far: once in every ping interval, and at the end. */
  used(usage: Readonly<SocketUsage>): void;
  /** It is over. Told once. */
  ended(end: RelayEnd): void;
}

/** Who is told whether it opens at all: one of the two, once. Let go after that, as it holds the request. */
export interface RelayOpening {
  /** Upstream has accepted. @returns the answer that accepts the client too */
  accepted(upstreamRequestId: string | null): string;
  /** It never opened; the client has yet to be answered, unless it has gone (`null`). */
  refused(reason: ErrorAnswer | Problem | null): void;
}

/** The longest text message that a client may send; it is held until it is whole. */
const TEXT_MAX_BYTES = 256 * 1024;
/** Audio is sent in pieces of a tenth of a second, some kilobytes. */
const BINARY_MAX_BYTES = 1024 * 1024;
const CLIENT_RULES: FrameRules = {
  masked: true,
  textMaxBytes: TEXT_MAX_BYTES,
  binaryMaxBytes: BINARY_MAX_BYTES,
  fragmentsMax: 128,
};
const UPSTREAM_MAX_BYTES = 16 * 1024 * 1024;
const UPSTREAM_RULES: FrameRules = {
  masked: false,
  textMaxBytes: UPSTREAM_MAX_BYTES,
  binaryMaxBytes: UPSTREAM_MAX_BYTES,
  fragmentsMax: 1024,
};
/** A fragmented message of upstream's is read whole up to here; a longer one passes unread. */
const FRAGMENTS_HELD_MAX_BYTES = 256 * 1024;
/** What a client may send before it is accepted. */
const EARLY_MAX_BYTES = 64 * 1024;
/** Answers to pings, errors and the like that wait for a client which does not read. */
const PENDING_MAX_BYTES = 512 * 1024;

const NOTHING: Buffer = Buffer.alloc(0);
const PING_TO_CLIENT = makeFrame(OPCODE.ping, NOTHING, false);
const scratch = Buffer.allocUnsafeSlow(TEXT_MAX_BYTES + HEADER_MAX_BYTES);

export class Relay implements UpstreamSocketOwner, ProtocolHost {
  readonly requestId: string;
  readonly #parts: RelayParts;
  readonly #client: Socket;
  #opening: RelayOpening | null;
  #upstream: UpstreamSocket | null = null;
  #protocol: SocketProtocol | null = null;
  #phase: 'connecting' | 'open' | 'closing' | 'over' = 'connecting';
  #early: Buffer[] | null = [];
  #earlyBytes = 0;

  // From the client: `#up` is being read, `#upFrom` to `#upAt` of it passes.
  readonly #upHeader = new FrameHeader(CLIENT_RULES);
  #up = NOTHING;
  #upFrom = 0;
  #upAt = 0;
  /** Of a binary frame's payload, still to come; whether it is dropped. */
  #upLeft = 0;
  #isUpDropped = false;
  /** A frame that must be whole, and how much of it is there. */
  #upWhole: Buffer | null = null;
  #upWholeBytes = 0;
  /** Less than a header. */
  #upCarry: Buffer | null = null;
  #upFragments: { readonly frames: Buffer[]; readonly payloads: Buffer[] } | null = null;
  /** Our own frames for upstream, that wait for the end of a frame of the client's. */
  #upQueue: Buffer[] | null = null;
  #upPausedAtMs = 0;

  // From upstream: the same, in the upstream socket's buffer.
  readonly #downHeader = new FrameHeader(UPSTREAM_RULES);
  #downFrom = 0;
  #downAt = 0;
  #isDownReading = false;
  /** Of a frame that is too large to be looked at in one piece. */
  #downLeft = 0;
  #downUtf8: Utf8Check | null = null;
  /** A message of which the client has some frames, and not the last. */
  #isDownMidMessage = false;
  #downFragments: Buffer[] | null = null;
  #downFragmentBytes = 0;
  #downQueue: Buffer[] | null = null;
  #downPausedAtMs = 0;

  #lastActiveMs: number;
  #isClientAlive = true;
  #isUpstreamAlive = true;
  #endsWhenIdle = false;
  #closeTimer: NodeJS.Timeout | null = null;

  /** Listens at once: a client that leaves while upstream is being connected ends that too. */
  constructor(parts: RelayParts, opening: RelayOpening, head: Buffer) {
    this.#parts = parts;
    this.#opening = opening;
    this.requestId = parts.requestId;
    const { client } = parts;
    this.#client = client;
    this.#lastActiveMs = parts.clock.nowMs;
    client.setTimeout(0);
    client.setNoDelay(true);
    client.on('data', (chunk: Buffer) => this.#clientData(chunk));
    client.on('end', () => this.#clientGone());
    client.on('close', () => this.#clientGone());
    if (head.length > 0) this.#keepEarly(head);
  }

  get nowMs(): number {
    return this.#parts.clock.nowMs;
  }

  get isOver(): boolean {
    return this.#phase === 'over';
  }

  get isBusy(): boolean {
    return this.#protocol?.isBusy ?? false;
  }

  /** @param connect begins the handshake with upstream */
  open(connect: (owner: UpstreamSocketOwner) => UpstreamSocket): void {
    if (this.#client.destroyed) this.#clientGone();
    else this.#upstream = connect(this);
  }

  // What the upstream socket tells.

  upstreamAccepted(requestId: string | null): void {
    if (this.#phase !== 'connecting') return;
    this.#phase = 'open';
    this.#lastActiveMs = this.nowMs;
    this.#client.write(this.#opening?.accepted(requestId) ?? '', 'latin1');
    this.#opening = null;
    this.#protocol = this.#parts.makeProtocol(this);
    const early = this.#early ?? [];
    this.#early = null;
    for (const chunk of early) this.#clientData(chunk);
    if (this.#client.isPaused()) this.#client.resume();
  }

  upstreamRefused(answer: ErrorAnswer): void {
    this.#refuse(answer);
  }

  upstreamFailed(failure: UpstreamFailure): void {
    this.#refuse(toProblem(failure));
  }

  upstreamEnded(): void {
    if (this.#phase === 'open')
      this.#lose('upstream_unavailable', CLOSE.internal, 'upstream connection lost', 'upstream');
  }

  upstreamDrained(): void {
    if (this.#upPausedAtMs === 0) return;
    this.#upPausedAtMs = 0;
    this.#client.resume();
  }

  upstreamRead(): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    const { received } = upstream;
    if (this.#phase !== 'open') {
      if (this.#phase !== 'connecting') received.consume(received.end, false);
      return;
    }
    this.#isUpstreamAlive = true;
    this.#isDownReading = true;
    this.#downFrom = 0;
    this.#downAt = 0;
    this.#walkDown(received.bytes, received.end);
    this.#flushDown();
    this.#isDownReading = false;
    const at = this.#phase === 'open' ? this.#downAt : received.end;
    if (this.#client.writableLength === 0) {
      received.consume(at, false);
      return;
    }
    // The kernel has not taken everything: the write goes on in the buffer that was read into, so nothing more is read before it is over.
    const lent = received.consume(at, true);
    this.#pauseUpstream(lent);
  }

  // What the protocol does.

  toClient(text: string): void {
    this.#sendDown(makeTextFrame(text, false), false);
  }

  toUpstream(text: string): void {
    this.#sendUp(makeTextFrame(text, true));
  }

  forward(frames: Buffer): void {
    this.#sendUp(frames);
  }

  isRevealing(text: string): boolean {
    return this.#parts.isRevealing(text);
  }

  cut(problem: Problem, code: number): void {
    this.#finish({ code, reason: reasonOf(problem) }, { code: CLOSE.goingAway, reason: '' }, problem, {
      by: 'broker',
      outcome: problem.code,
    });
  }

  // What the clock tells.

  /** About once a second. @param isPingTurn once in every ping interval */
  look(nowMs: number, isPingTurn: boolean): void {
    if (this.#phase !== 'open') return;
    const { times, endsAtMs, expiresAtMs, idleMs } = this.#parts;
    this.#protocol?.look();
    if (isPingTurn && this.#protocol !== null) this.#parts.account.used(this.#protocol.usage);
    if (nowMs >= expiresAtMs) this.cut(new Problem('token_expired'), CLOSE.policy);
    else if (nowMs >= endsAtMs) {
      this.cut(new Problem('session_ended'), CLOSE.goingAway);
    } else if (this.#downPausedAtMs > 0 && nowMs - this.#downPausedAtMs > times.stallMs) {
      this.#abandon('broker', 'aborted');
    } else if (this.#upPausedAtMs > 0 && nowMs - this.#upPausedAtMs > times.stallMs) {
      this.#lose('upstream_timeout', CLOSE.internal, 'upstream takes nothing', 'upstream');
    } else if (!this.isBusy && nowMs - this.#lastActiveMs > idleMs) {
      const closing = { code: CLOSE.normal, reason: 'connection idle timeout' };
      this.#finish(closing, { code: CLOSE.normal, reason: '' }, null, { by: 'broker', outcome: 'idle' });
    } else if (this.#endsWhenIdle && !this.isBusy) this.#endForRestart();
    else if (isPingTurn) this.#ping();
  }

  /** The process is to end: at once where nothing is going on, otherwise when that is over. */
  drain(): void {
    this.#endsWhenIdle = true;
    if (this.#phase === 'open' && !this.isBusy) this.#endForRestart();
  }

  /** The process ends now. */
  endForRestart(): void {
    if (this.#phase === 'connecting') this.#refuse(new Problem('draining'));
    this.#endForRestart();
  }

  destroy(): void {
    this.#client.destroy();
    this.#upstream?.destroy();
  }

  #endForRestart(): void {
    this.cut(new Problem('draining'), CLOSE.restart);
  }

  #ping(): void {
    // A side that is not being read cannot show that it lives.
    if (!this.#isClientAlive && this.#upPausedAtMs === 0) {
      this.#abandon('client', 'dead_peer');
      return;
    }
    if (!this.#isUpstreamAlive && this.#downPausedAtMs === 0) {
      this.#lose('upstream_timeout', CLOSE.internal, 'upstream does not answer', 'upstream');
      return;
    }
    this.#isClientAlive = false;
    this.#isUpstreamAlive = false;
    this.#sendDown(PING_TO_CLIENT, true);
    this.#sendUp(makeFrame(OPCODE.ping, NOTHING, true));
  }

  // From upstream to the client.

  #walkDown(bytes: Buffer, end: number): void {
    const header = this.#downHeader;
    while (this.#phase === 'open') {
      if (this.#downLeft > 0) {
        if (!this.#passLarge(bytes, end)) return;
        continue;
      }
      const violation = header.read(bytes, this.#downAt, end);
      if (violation < 0) return;
      if (violation > 0) {
        this.#failUpstream(violation);
        return;
      }
      const size = header.frameBytes;
      if (size > LARGE_BYTES) {
        this.#beginLarge();
        continue;
      }
      if (end - this.#downAt < size) return;
      this.#frameDown(bytes, this.#downAt + header.headerBytes, this.#downAt + size);
    }
  }

  /** A whole frame from `#downAt` on. */
  #frameDown(bytes: Buffer, start: number, end: number): void {
    const header = this.#downHeader;
    if (header.isControl) this.#controlDown(bytes, start, end);
    else if (!header.isText) {
      this.#isDownMidMessage = !header.isFinal;
      this.#downAt = end;
    } else if (header.isFragment) this.#fragmentDown(bytes, start, end);
    else if (!isUtf8(bytes.subarray(start, end))) this.#failUpstream(VIOLATION.notUtf8);
    else {
      const instead = this.#protocol?.upstreamText(bytes, start, end) ?? null;
      if (instead !== null) {
        this.#flushDown();
        this.#downFrom = end;
        this.#downAt = end;
        this.#writeClient(makeTextFrame(instead, false));
      } else this.#downAt = end;
    }
    header.next();
    if (this.#downQueue !== null) this.#flushDownQueue();
  }

  #controlDown(bytes: Buffer, start: number, end: number): void {
    this.#flushDown();
    this.#downFrom = end;
    this.#downAt = end;
    const { opcode } = this.#downHeader;
    if (opcode === OPCODE.ping) this.#sendUp(makeFrame(OPCODE.pong, bytes.subarray(start, end), true));
    else if (opcode === OPCODE.close) {
      const closing = readClose(Buffer.from(bytes.subarray(start, end)));
      if (typeof closing === 'number') this.#failUpstream(closing);
      else this.#upstreamCloses(closing);
    }
  }

  #upstreamCloses(closing: Closing): void {
    const { code, reason } = passedClosing(closing);
    const isSecret = this.isRevealing(reason);
    this.#finish(
      { code, reason: isSecret ? '' : reason },
      { code: closing.code, reason: '' },
      new Problem('upstream_unavailable', 'Cartesia closed the connection.'),
      { by: 'upstream', outcome: 'ok' },
    );
  }

  /** Frames of one text message are kept back until all are there, as they may be an error. */
  #fragmentDown(bytes: Buffer, start: number, end: number): void {
    const header = this.#downHeader;
    if (this.#isDownMidMessage) {
      // The beginning has passed unread: so does the rest.
      this.#isDownMidMessage = !header.isFinal;
      const piece = bytes.subarray(start, end);
      if (this.#downUtf8?.push(piece) === false || (header.isFinal && this.#downUtf8?.end() === false)) {
        this.#failUpstream(VIOLATION.notUtf8);
        return;
      }
      this.#downAt = end;
      return;
    }
    this.#downFragments ??= [];
    this.#downFragments.push(Buffer.from(bytes.subarray(start, end)));
    this.#downFragmentBytes += end - start;
    this.#flushDown();
    this.#downFrom = end;
    this.#downAt = end;
    if (!header.isFinal && this.#downFragmentBytes <= FRAGMENTS_HELD_MAX_BYTES) return;
    const payload = Buffer.concat(this.#downFragments);
    this.#downFragments = null;
    this.#downFragmentBytes = 0;
    if (header.isFinal) this.#heldDown(payload);
    else this.#passUnread(payload);
  }

  #heldDown(payload: Buffer): void {
    if (!isUtf8(payload)) {
      this.#failUpstream(VIOLATION.notUtf8);
      return;
    }
    const instead = this.#protocol?.upstreamText(payload, 0, payload.length) ?? null;
    this.#writeClient(instead === null ? makeFrame(OPCODE.text, payload, false) : makeTextFrame(instead, false));
  }

  /** The beginning of a message that is too long to be held. */
  #passUnread(payload: Buffer): void {
    this.#downUtf8 = new Utf8Check();
    if (!this.#downUtf8.push(payload)) {
      this.#failUpstream(VIOLATION.notUtf8);
      return;
    }
    const frame = makeFrame(OPCODE.text, payload, false);
    frame[0] = OPCODE.text; // not the last one
    this.#writeClient(frame);
    this.#isDownMidMessage = true;
  }

  #beginLarge(): void {
    const header = this.#downHeader;
    if (header.isText && this.#downFragments !== null) {
      // Frames in front of it are held: they go first.
      const payload = Buffer.concat(this.#downFragments);
      this.#downFragments = null;
      this.#downFragmentBytes = 0;
      this.#flushDown();
      this.#passUnread(payload);
    } else if (header.isText && !this.#isDownMidMessage) this.#downUtf8 = new Utf8Check();
    this.#downAt += header.headerBytes;
    this.#downLeft = header.payloadBytes;
  }

  /** @returns whether the frame is behind */
  #passLarge(bytes: Buffer, end: number): boolean {
    const header = this.#downHeader;
    const length = Math.min(this.#downLeft, end - this.#downAt);
    if (length === 0) return false;
    const piece = bytes.subarray(this.#downAt, this.#downAt + length);
    if (header.isText && this.#downUtf8?.push(piece) === false) {
      this.#failUpstream(VIOLATION.notUtf8);
      return false;
    }
    this.#downAt += length;
    this.#downLeft -= length;
    if (this.#downLeft > 0) return false;
    if (header.isText && header.isFinal && this.#downUtf8?.end() === false) {
      this.#failUpstream(VIOLATION.notUtf8);
      return false;
    }
    this.#isDownMidMessage = !header.isFinal;
    header.next();
    if (this.#downQueue !== null) this.#flushDownQueue();
    return true;
  }

  #flushDown(): void {
    if (this.#downFrom === this.#downAt || this.#upstream === null) return;
    const { bytes } = this.#upstream.received;
    this.#client.write(bytes.subarray(this.#downFrom, this.#downAt));
    this.#downFrom = this.#downAt;
  }

  /** A frame of ours for the client: now, or when the frame or message that is under way is whole. */
  #sendDown(frame: Buffer, isControl: boolean): void {
    if (this.#phase !== 'open') return;
    if (this.#downLeft > 0 || (this.#isDownMidMessage && !isControl)) {
      this.#downQueue ??= [];
      this.#downQueue.push(frame);
      return;
    }
    if (this.#isDownReading) this.#flushDown();
    this.#writeClient(frame);
  }

  #flushDownQueue(): void {
    if (this.#downQueue === null || this.#isDownMidMessage) return;
    const queue = this.#downQueue;
    this.#downQueue = null;
    this.#flushDown();
    for (const frame of queue) this.#writeClient(frame);
  }

  #writeClient(frame: Buffer): void {
    this.#client.write(frame);
    // Who makes us answer without reading the answers is cut.
    if (this.#client.writableLength > PENDING_MAX_BYTES) this.#abandon('broker', 'aborted');
  }

  #pauseUpstream(lent: Buffer | null): void {
    if (this.#downPausedAtMs === 0) this.#downPausedAtMs = this.nowMs;
    this.#upstream?.pause();
    this.#client.write(NOTHING, (error) => {
      if (error) return;
      if (lent !== null) giveBack(lent);
      if (this.#client.writableLength > 0) return; // the last of these writes resumes
      this.#downPausedAtMs = 0;
      this.#upstream?.resume();
    });
  }

  // From the client to upstream.

  #clientData(chunk: Buffer): void {
    this.#isClientAlive = true;
    if (this.#phase === 'connecting') {
      this.#keepEarly(chunk);
      return;
    }
    if (this.#phase === 'over') return;
    const carry = this.#upCarry;
    this.#upCarry = null;
    this.#up = carry === null ? chunk : Buffer.concat([carry, chunk]);
    this.#upFrom = 0;
    this.#upAt = 0;
    this.#walkUp(this.#up, this.#up.length);
    this.#flushUp();
    this.#up = NOTHING;
  }

  #keepEarly(chunk: Buffer): void {
    this.#early?.push(chunk);
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes > EARLY_MAX_BYTES) this.#client.pause();
  }

  #walkUp(bytes: Buffer, end: number): void {
    const header = this.#upHeader;
    while (this.#phase === 'open' || this.#phase === 'closing') {
      if (this.#upLeft > 0) {
        if (!this.#passBinary(end)) return;
        continue;
      }
      if (this.#upWhole !== null) {
        if (!this.#fillWhole(bytes, end)) return;
        continue;
      }
      const violation = header.read(bytes, this.#upAt, end);
      if (violation < 0) {
        if (this.#upAt < end) this.#upCarry = Buffer.from(bytes.subarray(this.#upAt, end));
        return;
      }
      if (violation > 0) {
        this.#failClient(violation);
        return;
      }
      if (!header.isControl && !header.isText) this.#beginBinary();
      else if (end - this.#upAt < header.frameBytes) {
        this.#flushUp();
        this.#upWhole = Buffer.allocUnsafeSlow(header.frameBytes);
        this.#upWholeBytes = 0;
      } else {
        const at = this.#upAt;
        const next = at + header.frameBytes;
        const passes = this.#frameUp(bytes, at);
        if (!passes) this.#flushUp();
        this.#upAt = next;
        if (!passes) this.#upFrom = next;
        header.next();
      }
    }
  }

  #beginBinary(): void {
    const header = this.#upHeader;
    const takes = this.#phase === 'open' && (this.#protocol?.takesBinary ?? false);
    this.#lastActiveMs = this.nowMs;
    if (this.#phase === 'open') this.#protocol?.clientBinary(header.payloadBytes, header.opcode === OPCODE.binary);
    this.#isUpDropped = !takes;
    if (!takes) this.#flushUp();
    this.#upAt += header.headerBytes;
    if (!takes) this.#upFrom = this.#upAt;
    this.#upLeft = header.payloadBytes;
    if (this.#upLeft === 0) header.next();
  }

  /** @returns whether the frame is behind */
  #passBinary(end: number): boolean {
    const length = Math.min(this.#upLeft, end - this.#upAt);
    if (length === 0) return false;
    this.#upAt += length;
    this.#upLeft -= length;
    if (this.#isUpDropped) this.#upFrom = this.#upAt;
    if (this.#upLeft > 0) return false;
    this.#upHeader.next();
    if (this.#upQueue !== null) this.#flushUpQueue();
    return true;
  }

  /** @returns whether the frame was whole */
  #fillWhole(bytes: Buffer, end: number): boolean {
    const whole = this.#upWhole;
    if (whole === null) return true;
    const length = Math.min(whole.length - this.#upWholeBytes, end - this.#upAt);
    bytes.copy(whole, this.#upWholeBytes, this.#upAt, this.#upAt + length);
    this.#upWholeBytes += length;
    this.#upAt += length;
    this.#upFrom = this.#upAt;
    if (this.#upWholeBytes < whole.length) return false;
    this.#upWhole = null;
    if (this.#frameUp(whole, 0)) this.#writeUpstream(whole);
    this.#upHeader.next();
    return true;
  }

  /**
   * A whole control or text frame at `at`.
   * @returns whether it passes as it is
   */
  #frameUp(bytes: Buffer, at: number): boolean {
    const header = this.#upHeader;
    const { headerBytes, payloadBytes } = header;
    unmask(bytes, at + header.maskAt, bytes, at + headerBytes, 0, payloadBytes, scratch);
    const payload = scratch.subarray(0, payloadBytes);
    if (header.isControl) {
      this.#controlUp(payload);
      return false;
    }
    if (this.#phase !== 'open') return false;
    this.#lastActiveMs = this.nowMs;
    if (header.isFragment) {
      this.#fragmentUp(bytes.subarray(at, at + header.frameBytes), payload);
      return false;
    }
    if (!isUtf8(payload)) {
      this.#failClient(VIOLATION.notUtf8);
      return false;
    }
    const keep = (): Buffer => Buffer.from(bytes.subarray(at, at + header.frameBytes));
    return this.#protocol?.clientText(payload, keep) === 'pass';
  }

  #fragmentUp(frame: Buffer, payload: Buffer): void {
    this.#upFragments ??= { frames: [], payloads: [] };
    const { frames, payloads } = this.#upFragments;
    frames.push(Buffer.from(frame));
    payloads.push(Buffer.from(payload));
    if (!this.#upHeader.isFinal) return;
    this.#upFragments = null;
    const message = Buffer.concat(payloads);
    if (!isUtf8(message)) this.#failClient(VIOLATION.notUtf8);
    else if (this.#protocol?.clientText(message, () => Buffer.concat(frames)) === 'pass') {
      this.#flushUp();
      for (const held of frames) this.#writeUpstream(held);
    }
  }

  #controlUp(payload: Buffer): void {
    const { opcode } = this.#upHeader;
    if (opcode === OPCODE.ping) {
      if (this.#parts.pingsCount) this.#lastActiveMs = this.nowMs;
      this.#sendDown(makeFrame(OPCODE.pong, payload, false), true);
    } else if (opcode === OPCODE.close) {
      const closing = readClose(Buffer.from(payload));
      if (typeof closing === 'number') this.#failClient(closing);
      else this.#clientCloses(closing);
    }
  }

  #clientCloses(closing: Closing): void {
    if (this.#phase === 'open') {
      this.#finish(closing, passedClosing(closing), null, { by: 'client', outcome: 'ok' });
    }
    // Both sides have said it: ours is the side that ends the connection (RFC 6455 §7.1.1).
    this.#phase = 'over';
    this.#client.end();
  }

  #flushUp(): void {
    if (this.#upFrom === this.#upAt) return;
    const passing = this.#up.subarray(this.#upFrom, this.#upAt);
    this.#upFrom = this.#upAt;
    this.#writeUpstream(passing);
  }

  #sendUp(frame: Buffer): void {
    if (this.#phase !== 'open') return;
    if (this.#upLeft > 0 && !this.#isUpDropped) {
      this.#upQueue ??= [];
      this.#upQueue.push(frame);
      return;
    }
    this.#flushUp();
    this.#writeUpstream(frame);
  }

  #flushUpQueue(): void {
    const queue = this.#upQueue ?? [];
    this.#upQueue = null;
    this.#flushUp();
    for (const frame of queue) this.#writeUpstream(frame);
  }

  #writeUpstream(bytes: Buffer): void {
    if (this.#phase !== 'open' || this.#upstream === null) return;
    if (this.#upstream.write(bytes) || this.#upPausedAtMs > 0) return;
    this.#upPausedAtMs = this.nowMs;
    this.#client.pause();
  }

  // Ends.

  #refuse(reason: ErrorAnswer | Problem): void {
    if (this.#phase !== 'connecting') return;
    this.#endOpening(reason);
  }

  #endOpening(reason: ErrorAnswer | Problem | null): void {
    this.#phase = 'over';
    this.#upstream?.destroy();
    this.#early = null;
    this.#opening?.refused(reason);
    this.#opening = null;
  }

  #clientGone(): void {
    if (this.#phase === 'connecting') this.#endOpening(null);
    else if (this.#phase === 'open') this.#abandon('client', 'aborted');
    if (this.#closeTimer !== null) clearTimeout(this.#closeTimer);
    this.#client.destroy();
    this.#phase = 'over';
  }

  /** The client broke a rule of the protocol. */
  #failClient(code: number): void {
    if (this.#phase === 'closing') {
      this.#clientGone();
      return;
    }
    this.#finish({ code, reason: VIOLATION_REASONS[code] ?? '' }, { code: CLOSE.goingAway, reason: '' }, null, {
      by: 'broker',
      outcome: 'invalid_request',
    });
  }

  /** Upstream did. */
  #failUpstream(code: number): void {
    const problem = new Problem('upstream_unavailable', undefined, {
      cause: new UpstreamFailure('malformed', `frame ${code}`),
    });
    this.#finish({ code: CLOSE.internal, reason: 'upstream broke the protocol' }, { code, reason: '' }, problem, {
      by: 'upstream',
      outcome: problem.code,
    });
  }

  #lose(code: 'upstream_unavailable' | 'upstream_timeout', close: number, reason: string, by: RelayEnd['by']): void {
    this.#finish({ code: close, reason }, { code: CLOSE.goingAway, reason: '' }, new Problem(code), {
      by,
      outcome: code,
    });
  }

  /** Nobody is left to be told. */
  #abandon(by: RelayEnd['by'], outcome: string): void {
    if (this.#phase !== 'open') return;
    this.#endUpstream({ code: CLOSE.goingAway, reason: '' });
    this.#settle({ by, code: 1006, outcome });
    this.#phase = 'over';
    this.#client.destroy();
  }

  /**
   * The orderly end: the errors that readers wait for, then the close frame; upstream is told to stop first.
   * @param problem what the errors say; `null` = the client ends it itself, or nothing is going on
   */
  #finish(
    toClient: Closing,
    toUpstream: Closing,
    problem: Problem | null,
    end: Pick<RelayEnd, 'by' | 'outcome'>,
  ): void {
    if (this.#phase !== 'open') return;
    const isMidFrame = this.#downLeft > 0 || this.#isDownMidMessage;
    const farewell = problem === null ? [] : (this.#protocol?.farewell(problem) ?? []);
    this.#endUpstream(toUpstream);
    if (this.#isDownReading) this.#flushDown();
    this.#settle({ ...end, code: toClient.code ?? 1005 });
    this.#phase = 'closing';
    if (isMidFrame) {
      // A frame of ours would be read as a part of the one that never became whole.
      this.#clientGone();
      return;
    }
    for (const text of farewell) this.#client.write(makeTextFrame(text, false));
    this.#client.write(makeCloseFrame(toClient.code, toClient.reason, false));
    this.#closeTimer = setTimeout(() => this.#clientGone(), this.#parts.times.closeMs);
    this.#client.resume();
  }

  #endUpstream(closing: Closing): void {
    const upstream = this.#upstream;
    if (upstream === null) return;
    this.#flushUp();
    if (this.#upLeft > 0 && !this.#isUpDropped) upstream.destroy();
    else {
      for (const text of this.#protocol?.cancels() ?? []) upstream.write(makeTextFrame(text, true));
      upstream.write(makeCloseFrame(closing.code, closing.reason, true));
      upstream.end(this.#parts.times.closeMs);
    }
  }

  #settle(end: RelayEnd): void {
    this.#protocol?.end();
    if (this.#protocol !== null) this.#parts.account.used(this.#protocol.usage);
    this.#parts.account.ended(end);
  }
}

const VIOLATION_REASONS: Readonly<Record<number, string>> = {
  1002: 'protocol error',
  1007: 'not UTF-8',
  1008: 'too many fragments',
  1009: 'message too big',
};

/** The code, which programs read, fits into a close frame; the sentence went out before it, where there is a place for it. */
function reasonOf(problem: Problem): string {
  return problem.errorCode ?? problem.code;
}
