// One HTTP/1.1 connection to Cartesia: carries one exchange at a time and closes at the first protocol error.
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { UpstreamControl, UpstreamHandler, UpstreamRequest } from '../transport.ts';
import { toUpstreamFailure, UpstreamFailure } from '../upstream-failure.ts';
import type { ParsedHead } from './answer-head.ts';
import { AnswerParser, type AnswerSink } from './answer-parser.ts';
import { BodySender } from './body-sender.ts';
import { type ConnectOptions, connectTo } from './connect.ts';
import { ReadPlace } from './read-place.ts';
import { requestHead } from './request-head.ts';

/** A request without a response yet, and the handler of that response. */
export interface PendingRequest {
  readonly request: UpstreamRequest;
  readonly handler: UpstreamHandler;
}

export interface ConnectionOwner {
  /** The connection is free for another exchange. @param keepAliveSeconds how long upstream says it keeps it, if it says so */
  onIdle(connection: Connection, keepAliveSeconds: number | null): void;
  /** The connection is closed. */
  onGone(connection: Connection): void;
}

/** A body up to this size is sent in one write with its head. */
const COPIED_MAX_BYTES = 16_384;

export class Connection implements AnswerSink, UpstreamControl {
  readonly #owner: ConnectionOwner;
  readonly #authority: string;
  readonly #socket: Socket;
  readonly #parser = new AnswerParser(this);
  readonly #place = new ReadPlace();
  /** The handler of the exchange under way. Until the connection is made, its request is in `#first`. */
  #handler: UpstreamHandler | null = null;
  #first: PendingRequest | null;
  #sender: BodySender | null = null;
  #isPaused = false;
  #isGone = false;
  #failure: UpstreamFailure | null = null;

  /** Connects, then sends `first`. */
  constructor(options: Omit<ConnectOptions, 'onread'>, owner: ConnectionOwner, first: PendingRequest) {
    this.#owner = owner;
    this.#authority = options.origin.authority;
    this.#first = first;
    const onread = {
      buffer: () => this.#place.room,
      callback: (count: number) => {
        this.#read(count);
        return true; // keep reading: `pause` decides when to stop
      },
    };
    this.#socket = connectTo({ ...options, onread }, () => this.#connected());
    this.#socket.on('error', (error) => {
      this.#failure ??= toUpstreamFailure(error);
    });
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => this.#closed());
  }

  /** Can take a request. */
  get isUsable(): boolean {
    return !this.#isGone && this.#socket.writable && !this.#socket.destroyed;
  }

  send({ request, handler }: PendingRequest): void {
    this.#handler = handler;
    handler.onSent(this);
    if (this.#handler !== handler) return; // `onSent` has aborted it
    const { body } = request;
    try {
      const head = requestHead(request, this.#authority);
      if (Buffer.isBuffer(body) && body.length <= COPIED_MAX_BYTES) this.#socket.write(joined(head.text, body));
      else {
        this.#socket.write(head.text, 'latin1');
        if (Buffer.isBuffer(body)) this.#socket.write(body);
        else if (body instanceof Readable) {
          const { isChunked, length } = head;
          this.#sender = new BodySender({
            socket: this.#socket,
            body,
            isChunked,
            length,
            onBroken: (code) => this.#break(new UpstreamFailure('cut', code)),
          });
        }
      }
    } catch (error) {
      this.#break(toUpstreamFailure(error));
    }
  }

  /** For the owner, to close the pool or an idle connection. */
  destroy(failure: UpstreamFailure): void {
    this.#break(failure);
  }

  abort(): void {
    this.#handler = null;
    this.#break(ABORTED);
  }

  pause(): void {
    if (this.#handler === null || this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  onHead({ status, headers, framing }: ParsedHead): boolean {
    const handler = this.#handler;
    if (handler === null) return false;
    const isChunked = framing.kind === 'chunked';
    const isFramed = handler.onHead(status, headers, isChunked) === 'framed' && isChunked;
    if (isFramed) this.#place.lend();
    return isFramed;
  }

  onBody(bytes: Buffer, dataBytes: number, isLast: boolean): void {
    const handler = this.#handler;
    if (handler === null) return;
    const isHeld = handler.onData(this.#place.isOwn ? bytes : Buffer.from(bytes), dataBytes, isLast);
    if (isHeld) this.#place.leave();
  }

  onComplete(isReusable: boolean, { keepAliveSeconds }: ParsedHead): void {
    const handler = this.#handler;
    // What is still in the socket's queue may never be read, and a request behind it would be lost with it.
    const isSent = (this.#sender === null || this.#sender.isComplete) && this.#socket.writableLength === 0;
    this.#handler = null;
    this.#place.release();
    this.resume();
    if (isReusable && isSent) {
      this.#sender = null;
      handler?.onEnd();
      if (!this.#isGone) this.#owner.onIdle(this, keepAliveSeconds);
    } else {
      // The response came before the request was sent completely, or is the last one of this connection.
      this.#break(ABORTED);
      handler?.onEnd();
    }
  }

  #connected(): void {
    const first = this.#first;
    this.#first = null;
    if (first === null) return;
    this.send(first);
  }

  #read(count: number): void {
    if (this.#isGone) return;
    if (this.#handler === null) {
      this.#break(UNASKED);
      return;
    }
    try {
      this.#parser.read(this.#place.room, count);
    } catch (error) {
      this.#break(toUpstreamFailure(error));
    }
    this.#place.prepare(count);
  }

  /** Upstream has closed its half: nothing more will come. */
  #ended(): void {
    if (this.#isGone || this.#parser.end()) return;
    this.#break(new UpstreamFailure('cut', 'END'));
  }

  #closed(): void {
    this.#break(this.#failure ?? new UpstreamFailure('cut', 'CLOSE'));
  }

  /** Closes the connection, once, and tells the exchange that still waits for its response why there will be none. */
  #break(failure: UpstreamFailure): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const waiting = this.#handler ?? this.#first?.handler ?? null;
    this.#handler = null;
    this.#first = null;
    this.#sender?.stop();
    this.#sender = null;
    this.#place.leave(); // the socket may be reading into it until it is closed
    this.#socket.destroy();
    this.#owner.onGone(this);
    waiting?.onFailure(failure);
  }
}

const ABORTED = new UpstreamFailure('cut', 'ABORTED');
const UNASKED = new UpstreamFailure('malformed', 'HTTP', 'bytes that nobody has asked for');

function joined(head: string, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 'latin1');
  body.copy(bytes, head.length);
  return bytes;
}
