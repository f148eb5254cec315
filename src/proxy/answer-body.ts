// The body of a successful response on its way to the client.
//
// Chunks are written straight to the connection: through Node's response each would take four writes, for its size, line end, data and line
// end. A body that is chunked already is written as soon as it is read; data that is chunked here is gathered and written at the end of the
// turn. Node's response still writes the head and ends the response.
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { ChunkPlace } from './chunk-place.ts';

/** A complete body up to this size is sent in one write with its head. */
const SMALL_BYTES = 8192;
/** Data up to this size is copied into one buffer with the turn's other chunks. */
const GATHERED_MAX_BYTES = 65_536;
const NOTHING = Buffer.alloc(0);

/** Where the body is chunked: before it is written here, here, or not at all, because its length is known or the client cannot read chunks. */
type Framing = 'done' | 'here' | 'none';

export class AnswerBody {
  readonly #response: ServerResponse;
  readonly #framing: Framing;
  readonly #isEncrypted: boolean;
  #isBegun = false;
  /** The chunks gathered in this turn. */
  #place: ChunkPlace | null = null;

  /**
   * @param response with its head made, but not sent yet
   * @param isFramed what will be written is chunked already, and the head says so
   */
  constructor(response: ServerResponse, isFramed: boolean) {
    const { socket } = response;
    this.#response = response;
    this.#isEncrypted = socket !== null && 'encrypted' in socket;
    if (isFramed) this.#framing = 'done';
    else this.#framing = response.chunkedEncoding && socket !== null ? 'here' : 'none';
    if (this.#framing !== 'none') response.chunkedEncoding = false; // Node must not chunk it again
  }

  /** Something written has not reached the kernel yet, so its memory must not be reused. Never over TLS, where copies are written. */
  get isPending(): boolean {
    return !this.#isEncrypted && this.#out.writableLength > 0;
  }

  /** @returns whether more may be written at once; if not, wait for `onDrain` */
  write(bytes: Buffer): boolean {
    switch (this.#framing) {
      case 'none':
        this.#isBegun = true;
        return this.#response.write(bytes);
      case 'here':
        return bytes.length === 0 || this.#writeChunk(bytes);
      case 'done':
        return this.#pass(bytes);
    }
  }

  /** @param tell called once */
  onDrain(tell: () => void): void {
    this.#out.once('drain', tell);
  }

  /** Sends the head alone, unless it was sent already or will be sent with gathered chunks. */
  sendHead(): void {
    if (this.#place === null) this.#begin();
  }

  /** Writes the last bytes and ends the response. */
  endWith(bytes: Buffer): void {
    if (!this.#isBegun && bytes.length <= SMALL_BYTES && this.#framing !== 'here') {
      // As text it forms one string with the head: one system call, and no list of buffers.
      this.#response.end(bytes.toString('latin1'), 'latin1');
      return;
    }
    this.write(bytes);
    this.end();
  }

  end(): void {
    if (this.#framing === 'here') {
      this.#gather(NOTHING);
      this.flush();
    }
    // This causes no write if everything has been sent.
    this.#response.end();
  }

  /** Sends the gathered chunks now, after the head if that is still to be sent. */
  flush(): void {
    const place = this.#place;
    if (place === null) return;
    this.#place = null;
    const out = this.#out;
    // For a slow reader, keep a copy of these few bytes rather than the whole gathering buffer.
    const isCopied = this.#isEncrypted || out.writableLength > 0;
    this.#leave(isCopied ? Buffer.from(place.bytes) : place.bytes);
    if (isCopied || out.writableLength === 0) place.release();
  }

  #pass(bytes: Buffer): boolean {
    // TLS reports that it is done with a buffer only once everything is sent, so it gets a copy.
    return this.#leave(this.#isEncrypted ? Buffer.from(bytes) : bytes);
  }

  #leave(bytes: Buffer): boolean {
    const out = this.#out;
    if (this.#isBegun) return out.write(bytes);
    out.cork();
    this.#begin();
    const isTaken = out.write(bytes);
    out.uncork();
    return isTaken;
  }

  /** @returns as `write`, as far as is known before the chunk is sent */
  #writeChunk(bytes: Buffer): boolean {
    if (bytes.length <= GATHERED_MAX_BYTES) {
      this.#gather(bytes);
      return !this.#out.writableNeedDrain;
    }
    this.flush();
    const out = this.#out;
    out.cork();
    this.#leave(Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'));
    out.write(bytes);
    const isTaken = out.write('\r\n', 'latin1');
    out.uncork();
    return isTaken;
  }

  #gather(bytes: Buffer): void {
    if (this.#place?.hasRoomFor(bytes.length) === false) this.flush();
    if (this.#place === null) {
      this.#place = new ChunkPlace();
      process.nextTick(flush, this);
    }
    this.#place.append(bytes);
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#response.flushHeaders();
  }

  /** Where to write. Without a connection, the response handles what is written. */
  get #out(): Writable {
    return this.#framing === 'none' ? this.#response : (this.#response.socket ?? this.#response);
  }
}

function flush(body: AnswerBody): void {
  body.flush();
}
