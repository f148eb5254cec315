// The body of a good answer on its way to the client.
//
// Chunks are written to the connection itself: through Node's response each would be four writes, for its size, line end, data and line
// end. What has its chunks already leaves with the read that has brought it; what is put into chunks here leaves at the end of the turn,
// together with whatever else has come in it. The response still writes the head and ends the answer.
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { ChunkPlace } from './chunk-place.ts';

/** A whole body up to this size leaves in one write with its head. */
const SMALL_BYTES = 8192;
/** Data up to this size is copied to the other chunks of its turn. */
const GATHERED_MAX_BYTES = 65_536;
const NOTHING = Buffer.alloc(0);

/** Who puts the body into chunks: whoever writes it, this, or nobody, as its length is known or the client cannot read them. */
type Framing = 'done' | 'here' | 'none';

export class AnswerBody {
  readonly #response: ServerResponse;
  readonly #framing: Framing;
  readonly #isEncrypted: boolean;
  #isBegun = false;
  /** What has come in this turn. */
  #place: ChunkPlace | null = null;

  /**
   * @param response its head is made, and not sent yet
   * @param isFramed what will be written is in chunks already, and the head says so
   */
  constructor(response: ServerResponse, isFramed: boolean) {
    const { socket } = response;
    this.#response = response;
    this.#isEncrypted = socket !== null && 'encrypted' in socket;
    if (isFramed) this.#framing = 'done';
    else this.#framing = response.chunkedEncoding && socket !== null ? 'here' : 'none';
    if (this.#framing !== 'none') response.chunkedEncoding = false; // nothing is to be put into chunks again
  }

  /** Something that was written has not gone to the kernel yet, and the memory that it came in must stay as it is. */
  get isPending(): boolean {
    return !this.#isEncrypted && this.#out.writableLength > 0;
  }

  /** @returns whether more may be written at once; if not, `onDrain` tells when */
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

  /** The head alone, unless it is gone already or leaves with what was put together. */
  sendHead(): void {
    if (this.#place === null) this.#begin();
  }

  /** The last bytes, and the end with them. */
  endWith(bytes: Buffer): void {
    if (!this.#isBegun && bytes.length <= SMALL_BYTES && this.#framing !== 'here') {
      // As text it is one piece with the head: one system call, and no list of buffers to make for it.
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
    // It ends without another write where everything has left already.
    this.#response.end();
  }

  /** What was put together leaves now, and the head before it. */
  flush(): void {
    const place = this.#place;
    if (place === null) return;
    this.#place = null;
    const out = this.#out;
    // Of who takes more slowly than it comes a few bytes wait, not a whole place.
    const isCopied = this.#isEncrypted || out.writableLength > 0;
    this.#leave(isCopied ? Buffer.from(place.bytes) : place.bytes);
    if (isCopied || out.writableLength === 0) place.release();
  }

  #pass(bytes: Buffer): boolean {
    // TLS says that it is done with what is written only when all is sent: it gets bytes of its own.
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

  /** @returns as far as is known before it has left */
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

  /** Where there is no connection any more, the response knows what becomes of bytes. */
  get #out(): Writable {
    return this.#framing === 'none' ? this.#response : (this.#response.socket ?? this.#response);
  }
}

function flush(body: AnswerBody): void {
  body.flush();
}
