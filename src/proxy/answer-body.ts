// The body of a good answer on its way to the client.
//
// What has its chunks already is written to the connection itself, with the read that has brought it: through Node's response it would
// wait for the end of the turn, which costs a tenth more and is later. The response still writes the head and ends the answer.
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';

/** A whole body up to this size leaves in one write with its head. */
const SMALL_BYTES = 8192;

export class AnswerBody {
  readonly #response: ServerResponse;
  readonly #isFramed: boolean;
  #isBegun = false;

  /**
   * @param response its head is made, and not sent yet
   * @param isFramed what will be written is in chunks already, and the head says so
   */
  constructor(response: ServerResponse, isFramed: boolean) {
    this.#response = response;
    this.#isFramed = isFramed;
    if (isFramed) response.chunkedEncoding = false; // nothing is to be put into chunks again
  }

  /** @returns whether more may be written at once; if not, `onDrain` tells when */
  write(bytes: Buffer): boolean {
    const out = this.#out;
    if (!this.#isFramed || this.#isBegun) {
      this.#isBegun = true;
      // Node's response lets all that is written in one turn leave together, the head and the end too. It must not be corked for that:
      // when it is uncorked it writes size, line end, chunk and line end by themselves, four system calls and four packets.
      return out.write(bytes);
    }
    out.cork();
    this.sendHead();
    const isTaken = out.write(bytes);
    out.uncork();
    return isTaken;
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
    if (!this.#isBegun && bytes.length <= SMALL_BYTES) {
      // As text it is one piece with the head: one system call, and no list of buffers to make for it.
      this.#response.end(bytes.toString('latin1'), 'latin1');
      return;
    }
    if (!this.#isFramed) {
      this.#response.end(bytes);
      return;
    }
    const out = this.#out;
    out.cork();
    this.write(bytes);
    this.#response.end();
    out.uncork();
  }

  end(): void {
    this.#response.end();
  }

  /** Where there is no connection any more, the response knows what becomes of bytes. */
  get #out(): Writable {
    return this.#isFramed ? (this.#response.socket ?? this.#response) : this.#response;
  }
}
