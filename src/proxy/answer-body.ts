// The body of a good answer on its way to the client.
//
// Chunks are written to the connection itself: through Node's response each would be four writes, for its size, line end, data and line
// end. What has its chunks already leaves with the read that has brought it; what is put into chunks here leaves at the end of the turn,
// together with whatever else has come in it. The response still writes the head and ends the answer.
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';

/** A whole body up to this size leaves in one write with its head. */
const SMALL_BYTES = 8192;
/** Data up to this size is copied into its chunk, and leaves in one piece. */
const COPIED_MAX_BYTES = 32_768;
const LAST_CHUNK = '0\r\n\r\n';

/** Who puts the body into chunks: whoever writes it, this, or nobody, as its length is known or the client cannot read them. */
type Framing = 'done' | 'here' | 'none';

export class AnswerBody {
  readonly #response: ServerResponse;
  readonly #framing: Framing;
  readonly #isEncrypted: boolean;
  #isBegun = false;

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

  /** The head alone, unless it is gone already. */
  sendHead(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#response.flushHeaders();
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
    if (this.#framing === 'here') this.#beginTogether().write(LAST_CHUNK, 'latin1');
    // It ends without another write where everything has left already.
    this.#response.end();
  }

  #pass(bytes: Buffer): boolean {
    const out = this.#out;
    // TLS says that it is done with what is written only when all is sent: it gets bytes of its own.
    const chunk = this.#isEncrypted ? Buffer.from(bytes) : bytes;
    if (this.#isBegun) return out.write(chunk);
    out.cork();
    this.sendHead();
    const isTaken = out.write(chunk);
    out.uncork();
    return isTaken;
  }

  #writeChunk(bytes: Buffer): boolean {
    const out = this.#beginTogether();
    const size = `${bytes.length.toString(16)}\r\n`;
    if (bytes.length <= COPIED_MAX_BYTES) return out.write(chunkOf(size, bytes));
    out.write(size, 'latin1');
    out.write(bytes);
    return out.write('\r\n', 'latin1');
  }

  /** What is written in one turn leaves in one write, and the head is the first of it. */
  #beginTogether(): Writable {
    const out = this.#out;
    if (out.writableCorked === 0) {
      out.cork();
      process.nextTick(uncork, out);
    }
    this.sendHead();
    return out;
  }

  /** Where there is no connection any more, the response knows what becomes of bytes. */
  get #out(): Writable {
    return this.#framing === 'none' ? this.#response : (this.#response.socket ?? this.#response);
  }
}

function chunkOf(size: string, bytes: Buffer): Buffer {
  const chunk = Buffer.allocUnsafe(size.length + bytes.length + 2);
  chunk.write(size, 0, 'latin1');
  bytes.copy(chunk, size.length);
  chunk.write('\r\n', size.length + bytes.length, 'latin1');
  return chunk;
}

function uncork(out: Writable): void {
  out.uncork();
}
