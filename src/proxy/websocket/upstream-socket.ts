// A socket to Cartesia: connected, verified, its handshake done, its bytes read into one buffer.
import net from 'node:net';
import tls from 'node:tls';
import type { Config } from '../../config/config.ts';
import type { Trust } from '../../upstream/trust.ts';
import { toUpstreamFailure, UpstreamFailure } from '../../upstream/upstream-failure.ts';
import type { ErrorAnswer } from '../upstream-error.ts';
import { ReadBuffer, SMALL_BYTES } from './frames/read-buffer.ts';
import { UpgradeAnswer } from './opening/upgrade-answer.ts';
import { type Opening, openingRequest } from './opening/upstream-handshake.ts';

/** What the owner of an upstream socket is told. `refused`, `failed`: it never opened, and nothing more is told. */
export interface UpstreamSocketOwner {
  upstreamAccepted(requestId: string | null): void;
  upstreamRefused(answer: ErrorAnswer): void;
  upstreamFailed(failure: UpstreamFailure): void;
  /** Frames have come; they are in `received`. @returns how far they were taken */
  upstreamRead(): void;
  /** Everything that was written has gone to the kernel. */
  upstreamDrained(): void;
  /** It was open, and sends no more: closed, broken or half closed. Told once. */
  upstreamEnded(): void;
}

export interface UpstreamConnector {
  /** @param headers flat list of names and values, credential and version included */
  connect(target: string, headers: readonly string[], owner: UpstreamSocketOwner): UpstreamSocket;
}

/** For the whole of it: name, connection, TLS, answer. Milliseconds. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** For the words of a refusal, whose status is there already. */
const WORDS_MAX_MS = 1_000;
/** What TLS gives at a time, RFC 8446 §5.1. */
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
          // Said out loud: NODE_TLS_REJECT_UNAUTHORIZED=0 must not reach this connection.
          rejectUnauthorized: true,
          minVersion: 'TLSv1.2',
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
  /** Until it is open. */
  #handshake: { readonly request: string; readonly answer: UpgradeAnswer } | null;
  #isWaitingForWords = false;
  readonly #socket: net.Socket;
  #timer: NodeJS.Timeout | null;
  #phase: 'opening' | 'open' | 'over' = 'opening';
  #isPaused = false;
  readonly #isSecure: boolean;
  /** Records have come that the owner has not been told of yet. */
  #isUntold = false;

  constructor(opening: Opening, owner: UpstreamSocketOwner, { timeoutMs, isSecure, open }: UpstreamSocketOptions) {
    this.#handshake = { request: opening.text, answer: new UpgradeAnswer(this.received, opening.accept) };
    this.#owner = owner;
    this.#isSecure = isSecure;
    this.#timer = setTimeout(() => this.#fail(new UpstreamFailure('deadline', `${timeoutMs} ms`)), timeoutMs);
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

  /** Sends what was written and then the end; cut after a while where the other side does not end. */
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

  /** Nothing is told any more. */
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

  /** Whether a record may wait for those behind it. Little goes on as it comes. */
  #mayWait(length: number): boolean {
    return (this.#isUntold || length >= SMALL_BYTES) && this.received.hasRoomFor(RECORD_MAX_BYTES);
  }

  /** The owner is told of all records that came together, at once: TLS gives them one by one, and each write to the client costs more. */
  #tellLater(): void {
    if (this.#isUntold) return;
    this.#isUntold = true;
    setImmediate(tellWhatCame, this);
  }

  /** The owner is told of what it was not told yet. */
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

  /** @param hasEnded nothing more comes, or is waited for */
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
    // Frames may have come right behind the answer.
    this.#owner.upstreamRead();
  }

  /** Who refuses and then keeps its connection open, or breaks it, has refused all the same. */
  #waitForWords(): void {
    if (this.#isWaitingForWords) return;
    this.#isWaitingForWords = true;
    this.#clearTimer();
    this.#timer = setTimeout(() => this.#readAnswer(true), WORDS_MAX_MS);
  }

  #clearTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** One function for all sockets, so that none holds another. */
function tellWhatCame(socket: UpstreamSocket): void {
  socket.tellWhatCame();
}
