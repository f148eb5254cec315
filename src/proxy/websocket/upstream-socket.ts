// A WebSocket connection to Cartesia: connects, verifies the certificate, performs the handshake and reads into one buffer.
import net from 'node:net';
import tls from 'node:tls';
import type { Config } from '../../config/config.ts';
import type { Trust } from '../../upstream/trust.ts';
import { toUpstreamFailure, UpstreamFailure } from '../../upstream/upstream-failure.ts';
import type { ErrorAnswer } from '../upstream-error.ts';
import { ReadBuffer, SMALL_BYTES } from './frames/read-buffer.ts';
import { UpgradeAnswer } from './opening/upgrade-answer.ts';
import { type Opening, openingRequest } from './opening/upstream-handshake.ts';

/** Receives the events of an upstream socket. After `upstreamRefused` or `upstreamFailed` it never opens, and no other event follows. */
export interface UpstreamSocketOwner {
  upstreamAccepted(requestId: string | null): void;
  upstreamRefused(answer: ErrorAnswer): void;
  upstreamFailed(failure: UpstreamFailure): void;
  /** Bytes have arrived in `received`; the owner consumes them there. */
  upstreamRead(): void;
  /** The kernel has taken everything that was written. */
  upstreamDrained(): void;
  /** An open socket sends no more: it is closed, broken or half closed. Called once. */
  upstreamEnded(): void;
}

export interface UpstreamConnector {
  /** @param headers flat list of names and values, credential and version included */
  connect(target: string, headers: readonly string[], owner: UpstreamSocketOwner): UpstreamSocket;
}

/** For the whole handshake: name lookup, connection, TLS and response. Milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** For the body of a refusal whose head has arrived. Milliseconds. */
const WORDS_MAX_MS = 1_000;
/** The most that one TLS record contains, RFC 8446 §5.1. */
const RECORD_MAX_BYTES = 16_384;

export function createUpstreamConnector(
  upstream: Pick<Config['upstream'], 'baseUrl'>,
  trust: Trust,
  timeoutMs = HANDSHAKE_TIMEOUT_MS,
): UpstreamConnector {
  const { protocol, hostname, port, host } = new URL(upstream.baseUrl);
  const isSecure = protocol === 'https:';
  const address = hostname.replace(/^\[|\]$/g, '');
  const place = { host: address, port: Number(port) || (isSecure ? 443 : 80), noDelay: true };

  const open = (onread: net.OnReadOpts): net.Socket =>
    isSecure
      ? tls.connect({
          ...({ onread } as object), // documented by Node, not known to @types/node
          ...place,
          secureContext: trust.context,
          ...(net.isIP(address) === 0 ? { servername: address } : {}),
          // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not affect this connection.
          rejectUnauthorized: true,
          ALPNProtocols: ['http/1.1'],
        })
      : net.connect({ ...place, onread });

  return {
    connect(target, headers, owner) {
      const opening = openingRequest(target, host, headers);
      return new UpstreamSocket(opening, owner, { timeoutMs, isSecure, open });
    },
  };
}

interface UpstreamSocketOptions {
  /** For the handshake. */
  readonly timeoutMs: number;
  readonly isSecure: boolean;
  /** Begins to connect. */
  readonly open: (onread: net.OnReadOpts) => net.Socket;
}

export class UpstreamSocket {
  readonly received = new ReadBuffer();
  readonly #owner: UpstreamSocketOwner;
  /** `null` once it is open. */
  #handshake: { readonly request: string; readonly answer: UpgradeAnswer } | null;
  #isWaitingForWords = false;
  readonly #socket: net.Socket;
  #timer: NodeJS.Timeout | null;
  #phase: 'opening' | 'open' | 'over' = 'opening';
  #isPaused = false;
  readonly #isSecure: boolean;
  /** Records have arrived that the owner does not know of yet. */
  #isUntold = false;

  constructor(opening: Opening, owner: UpstreamSocketOwner, { timeoutMs, isSecure, open }: UpstreamSocketOptions) {
    this.#handshake = { request: opening.text, answer: new UpgradeAnswer(this.received, opening.accept) };
    this.#owner = owner;
    this.#isSecure = isSecure;
    // Node runs timers before it reads sockets: after a standstill of this process, the response may have arrived unread.
    this.#timer = setTimeout(() => setImmediate(() => this.#late(timeoutMs)), timeoutMs);
    this.#socket = open({
      buffer: () => this.received.room,
      callback: (length) => this.#read(length),
    });
    this.#listen();
  }

  /** Bytes that the kernel has not taken. */
  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  /** @returns whether more may be written at once */
  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  /** Sends what was written, then ends. The connection is destroyed if upstream does not end its side within `lingerMs`. */
  end(lingerMs: number): void {
    const socket = this.#socket;
    if (this.#phase !== 'open') {
      this.destroy();
      return;
    }
    this.#phase = 'over';
    socket.end();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
    this.resume();
  }

  /** Closes at once; no event follows. */
  destroy(): void {
    this.#phase = 'over';
    this.#clearTimer();
    this.#socket.destroy();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on('error', (error) => {
      if (this.#handshake?.answer.isRefusal === true) this.#readAnswer(true);
      this.#fail(toUpstreamFailure(error));
    });
    socket.once(this.#isSecure ? 'secureConnect' : 'connect', () =>
      socket.write(this.#handshake?.request ?? '', 'latin1'),
    );
    socket.on('drain', () => this.#owner.upstreamDrained());
    socket.on('end', () => this.#ended());
    socket.on('close', () => {
      this.#ended();
      this.received.release();
    });
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#phase === 'open') this.#ended();
    if (this.#phase === 'opening') {
      this.#phase = 'over';
      this.#owner.upstreamFailed(failure);
    }
    this.destroy();
  }

  /** @returns whether to go on reading */
  #read(length: number): boolean {
    const { received } = this;
    received.filled(length);
    if (this.#phase === 'opening') this.#readAnswer(false);
    else if (this.#phase === 'over') received.consume(received.end, false);
    else if (this.#isSecure && this.#mayWait(length)) this.#tellLater();
    else this.#tell();
    return !this.#isPaused;
  }

  /** Whether a record may wait for those after it. A small one is passed on as it arrives. */
  #mayWait(length: number): boolean {
    return (this.#isUntold || length >= SMALL_BYTES) && this.received.hasRoomFor(RECORD_MAX_BYTES);
  }

  /** Tells the owner once about all records that arrive together: TLS delivers them one by one, and a write to the client for each costs more. */
  #tellLater(): void {
    if (this.#isUntold) return;
    this.#isUntold = true;
    setImmediate(tellWhatCame, this);
  }

  /** Tells the owner about what it does not know of yet. */
  tellWhatCame(): void {
    if (this.#isUntold && this.#phase === 'open') this.#tell();
  }

  #tell(): void {
    this.#isUntold = false;
    this.#owner.upstreamRead();
  }

  #ended(): void {
    this.tellWhatCame();
    if (this.#phase === 'open') {
      this.#phase = 'over';
      this.#owner.upstreamEnded();
    } else if (this.#phase === 'opening') {
      this.#readAnswer(true);
      if (this.#phase === 'opening') this.#fail(new UpstreamFailure('cut', 'END'));
    }
  }

  /** @param hasEnded nothing more arrives, or is waited for */
  #readAnswer(hasEnded: boolean): void {
    if (this.#handshake === null || this.#phase !== 'opening') return;
    const { answer } = this.#handshake;
    const verdict = answer.read(hasEnded);
    if (verdict === null) {
      if (answer.isRefusal) this.#waitForWords();
    } else if (verdict.kind === 'accepted') this.#accepted(verdict.requestId);
    else if (verdict.kind === 'failed') this.#fail(verdict.failure);
    else {
      this.#phase = 'over';
      this.#owner.upstreamRefused(verdict.answer);
      this.destroy();
    }
  }

  #accepted(requestId: string | null): void {
    this.#phase = 'open';
    this.#handshake = null;
    this.#clearTimer();
    this.#owner.upstreamAccepted(requestId);
    // Frames may have arrived right after the response.
    this.#owner.upstreamRead();
  }

  /** Gives a refusal's body a short time: an upstream that keeps the connection open instead, or breaks it, has refused all the same. */
  #waitForWords(): void {
    if (this.#isWaitingForWords) return;
    this.#isWaitingForWords = true;
    this.#clearTimer();
    this.#timer = setTimeout(() => this.#readAnswer(true), WORDS_MAX_MS);
  }

  #late(timeoutMs: number): void {
    if (this.#phase === 'opening' && !this.#isWaitingForWords)
      this.#fail(new UpstreamFailure('deadline', `${timeoutMs} ms`));
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** One function for all sockets instead of a closure for each, so that no socket keeps another alive. */
function tellWhatCame(socket: UpstreamSocket): void {
  socket.tellWhatCame();
}
