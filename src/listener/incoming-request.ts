// A request whose body may come in any number of pieces.
//
// Each chunk of a chunked body is a piece, be it of one byte: Node makes an object of each and hands over one after the other, and its event
// loop goes on reading one connection for up to 2 MB, which is 350,000 of them. Everybody else waited for seconds, and whoever keeps the
// pieces keeps a hundred times their bytes. So a few pieces pass as they come; behind them the connection is not read until the next
// turn of the loop, or later where there were very many, and what has been read already is put together to one piece.
import { IncomingMessage, type ServerResponse } from 'node:http';

/** Pieces that pass in a turn. A read brings one of those that are worth it, and a turn up to 32 reads. */
const PASSED_MAX = 32;
/** As large as a read: no more than the rest of one comes when the connection is not read any more. */
const PLACE_BYTES = 65_536;
/** In a turn; behind more than these the connection waits for as long as they are worth, which leaves it a fiftieth of the time there is. */
const CROWD_MIN = 320;
const CROWD_PER_MS = 20;

export class IncomingRequest extends IncomingMessage {
  /** In this turn. */
  #pieces = 0;
  /** Of those that came behind the ones that passed; `null` = the connection may be read. */
  #crowd: Crowd | null = null;

  /** Called by Node's parser. @returns whether the connection is to be read on */
  override push(piece: Buffer | null): boolean {
    if (piece === null) {
      this.#passCrowd();
      return super.push(null);
    }
    if (this.#pieces === 1) setImmediate(turnIsOver, this); // most bodies are one piece
    this.#pieces += 1;
    if (this.#pieces <= PASSED_MAX) return super.push(piece);
    this.#crowd ??= { place: null, bytes: 0, isMoreWanted: false };
    if (this.#crowd.bytes + piece.length > PLACE_BYTES) this.#passCrowd();
    this.#crowd.place ??= Buffer.allocUnsafeSlow(Math.max(PLACE_BYTES, piece.length));
    this.#crowd.bytes += piece.copy(this.#crowd.place, this.#crowd.bytes);
    return false;
  }

  /** Called by whoever reads it: the connection is read on. */
  override _read(size: number): void {
    if (this.#crowd === null) super._read(size);
    else this.#crowd.isMoreWanted = true;
  }

  turnIsOver(): void {
    const pieces = this.#pieces;
    this.#pieces = 0;
    this.#passCrowd();
    if (pieces < CROWD_MIN) this.pauseIsOver();
    else setTimeout(pauseIsOver, pieces / CROWD_PER_MS, this);
  }

  pauseIsOver(): void {
    this.#passCrowd(); // of a read that somebody else began
    const isMoreWanted = this.#crowd?.isMoreWanted === true;
    this.#crowd = null;
    if (isMoreWanted) super._read(PLACE_BYTES);
  }

  #passCrowd(): void {
    if (this.#crowd === null || this.#crowd.place === null) return;
    const { place, bytes } = this.#crowd;
    this.#crowd.place = null;
    this.#crowd.bytes = 0;
    super.push(place.subarray(0, bytes));
  }
}

/**
 * What is left of a body when its answer is out, and nobody has asked for any of it, passes like the rest of it would: Node itself throws it
 * away at any speed.
 */
export function takeRestSlowly(request: IncomingMessage, response: ServerResponse): void {
  // Ahead of Node's own listener, which looks whether anybody reads.
  response.prependListener('finish', () => {
    if (!request.complete && request.readableFlowing === null) request.resume();
  });
}

interface Crowd {
  place: Buffer | null;
  bytes: number;
  /** Whoever reads has asked for more. */
  isMoreWanted: boolean;
}

function turnIsOver(request: IncomingRequest): void {
  request.turnIsOver();
}

function pauseIsOver(request: IncomingRequest): void {
  request.pauseIsOver();
}
