// A response whose bytes trickle out one at a time.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** A response to the request whose head or body is sent byte by byte; the connection is closed at its end. */
export function drippingResponse(
  request: IncomingMessage,
  drip: { readonly part: 'headers' | 'body'; readonly intervalMs: number },
): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  const stream = new DripStream(request.socket, drip);
  // A response only writes to, corks and watches its socket, and a Writable can do all of that.
  response.assignSocket(stream as unknown as Socket);
  // What Node's HTTP server does for its own sockets.
  stream.on('drain', () => response.emit('drain'));
  response.once('finish', () => {
    stream.end();
    // Behind an unread body nobody would notice that the client closes too.
    request.resume();
  });
  return response;
}

const HEAD_END = Buffer.from('\r\n\r\n');

class DripStream extends Writable {
  readonly #socket: Socket;
  readonly #part: 'headers' | 'body';
  readonly #intervalMs: number;
  /** How many bytes of HEAD_END the last bytes sent match; all of them once the head is over. */
  #headEndSeen = 0;

  constructor(socket: Socket, drip: { readonly part: 'headers' | 'body'; readonly intervalMs: number }) {
    super();
    this.#socket = socket;
    this.#part = drip.part;
    this.#intervalMs = drip.intervalMs;
    socket.once('close', () => this.destroy());
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
    this.#send(bytes).then(() => done(), done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  async #send(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += 1) {
      if (this.#socket.destroyed) return;
      const slow = (this.#headEndSeen === HEAD_END.length) === (this.#part === 'body');
      if (this.#headEndSeen === HEAD_END.length && !slow) {
        this.#socket.write(bytes.subarray(at));
        return;
      }
      const byte = bytes.subarray(at, at + 1);
      this.#socket.write(byte);
      this.#see(byte[0]);
      if (slow) await sleep(this.#intervalMs);
    }
  }

  #see(byte: number | undefined): void {
    if (this.#headEndSeen === HEAD_END.length) return;
    if (byte === HEAD_END[this.#headEndSeen]) this.#headEndSeen += 1;
    else this.#headEndSeen = byte === HEAD_END[0] ? 1 : 0;
  }
}
