// A request that stays cheap whatever number of pieces its body comes in.
//
// Each chunk of a chunked body is a piece, even of one byte: Node makes an object of each and passes them on one by one, and one turn of its
// event loop may read 2 MB from a connection, which is 350,000 of them. Everybody else then waited for seconds, and whoever kept the
// pieces kept a hundred times their bytes. So a few pieces pass as they come; after those the connection is not read until the next turn
// of the loop, or later if there were very many, and what has already been read is joined into one piece.
import { IncomingMessage, type ServerResponse } from 'node:http';

/** Pieces that pass as they come in one turn. A read brings one piece of reasonable size, and a turn has up to 32 reads. */
const PASSED_MAX = 32;
/** As large as one read: once reading stops, no more than the rest of one read still comes. */
const PLACE_BYTES = 65_536;
/** From this many pieces in a turn the connection pauses in proportion to them, which leaves it a fiftieth of the available time. */
const CROWD_MIN = 320;
const CROWD_PER_MS = 20;

export class IncomingRequest extends IncomingMessage {
  /** Pieces that came in this turn. */
  #pieces = 0;
  /** Joins the pieces after those that passed; `null` = the connection may be read. */
  #crowd: Crowd | null = null;

  /** Called by Node's parser. @returns whether to go on reading the connection */
  override push(piece: Buffer | null): boolean {
    if (piece === null) {
      this.#passCrowd();
      return super.push(null);
    }
    if (this.#pieces === 1) setImmediate(turnIsOver, this); // not at the first: most bodies are one piece
    this.#pieces += 1;
    if (this.#pieces <= PASSED_MAX) return super.push(piece);
    this.#crowd ??= { place: null, bytes: 0, isMoreWanted: false };
    if (this.#crowd.bytes + piece.length > PLACE_BYTES) this.#passCrowd();
    this.#crowd.place ??= Buffer.allocUnsafeSlow(Math.max(PLACE_BYTES, piece.length));
    this.#crowd.bytes += piece.copy(this.#crowd.place, this.#crowd.bytes);
    return false;
  }

  /** Called when the reader of the body wants more: reads on, or remembers it during a pause. */
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
    this.#passCrowd(); // pieces of a read that something else began
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
 * Once the response is sent, discards the rest of a body that nobody has begun to read, at the same limited pace: Node itself would
 * discard it at any speed.
 */
export function takeRestSlowly(request: IncomingMessage, response: ServerResponse): void {
  // Before Node's own listener, which checks whether anybody reads.
  response.prependListener('finish', () => {
    if (!request.complete && request.readableFlowing === null) request.resume();
  });
}

interface Crowd {
  place: Buffer | null;
  bytes: number;
  /** Whether the reader of the body has asked for more. */
  isMoreWanted: boolean;
}

function turnIsOver(request: IncomingRequest): void {
  request.turnIsOver();
}

function pauseIsOver(request: IncomingRequest): void {
  request.pauseIsOver();
}
