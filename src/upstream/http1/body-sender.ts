// Sends a streamed request body as fast as the socket takes it, and enforces its announced length.
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';

export interface BodySenderOptions {
  readonly socket: Socket;
  readonly body: Readable;
  readonly isChunked: boolean;
  /** The announced length in bytes; unused if chunked. */
  readonly length: number;
  /** The body broke off or does not have its announced length, so the request cannot be completed. */
  readonly onBroken: (code: string) => void;
}

export class BodySender {
  /** All of it is written. */
  isComplete = false;
  readonly #options: BodySenderOptions;
  #sent = 0;

  constructor(options: BodySenderOptions) {
    this.#options = options;
    const { socket, body } = options;
    body.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onBroken).on('close', this.#onBroken);
    socket.on('drain', this.#onDrain);
    if (body.destroyed) this.#onBroken();
  }

  /** Destroys an incomplete body, so that its producer learns that the rest is not wanted. */
  stop(): void {
    const { body } = this.#options;
    const isOver = this.isComplete;
    this.#release();
    if (isOver || body.destroyed) return;
    body.on('error', ignore);
    body.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    const { socket, body, isChunked, length } = this.#options;
    if (chunk.length === 0) return;
    this.#sent += chunk.length;
    let isTaken: boolean;
    if (isChunked) {
      socket.cork();
      socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
      socket.write(chunk);
      isTaken = socket.write('\r\n', 'latin1');
      socket.uncork();
    } else if (this.#sent > length) {
      this.#broken('LENGTH');
      return;
    } else isTaken = socket.write(chunk);
    if (!isTaken) body.pause();
  };

  readonly #onEnd = (): void => {
    const { socket, isChunked, length } = this.#options;
    if (isChunked) socket.write('0\r\n\r\n', 'latin1');
    else if (this.#sent !== length) {
      this.#broken('LENGTH');
      return;
    }
    this.isComplete = true;
    this.#release();
  };

  readonly #onDrain = (): void => void this.#options.body.resume();
  readonly #onBroken = (): void => this.#broken('BODY');

  #broken(code: string): void {
    this.#release();
    this.#options.onBroken(code);
  }

  #release(): void {
    const { socket, body } = this.#options;
    body.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onBroken).off('close', this.#onBroken);
    socket.off('drain', this.#onDrain);
  }
}

const ignore = (): void => {};
