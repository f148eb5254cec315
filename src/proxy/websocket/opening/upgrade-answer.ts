// Reads Cartesia's response to an upgrade as it arrives: skips interim responses, then takes a 101, or a refusal with its body.
import { readRequestId } from '../../../upstream/error-body.ts';
import { HEAD_MAX_BYTES } from '../../../upstream/head-limit.ts';
import { checkBeginning } from '../../../upstream/http1/answer-beginning.ts';
import { toUpstreamFailure, UpstreamFailure } from '../../../upstream/upstream-failure.ts';
import type { ErrorAnswer } from '../../upstream-error.ts';
import type { ReadBuffer } from '../frames/read-buffer.ts';
import { isAcceptance, readBody, readHead, type UpgradeHead } from './upstream-handshake.ts';

export type UpgradeVerdict =
  | { readonly kind: 'accepted'; readonly requestId: string | null }
  | { readonly kind: 'refused'; readonly answer: ErrorAnswer }
  | { readonly kind: 'failed'; readonly failure: UpstreamFailure };

/** Limit on a refusal's body; of a longer one, only this much is waited for. */
const BODY_MAX_BYTES = 16_384;

export class UpgradeAnswer {
  readonly #received: ReadBuffer;
  readonly #accept: string;
  #head: UpgradeHead | null = null;
  /** How many bytes of an incomplete head were found valid. */
  #looked = 0;

  /**
   * @param received contains the response, which is consumed there
   * @param accept the required value of Sec-WebSocket-Accept
   */
  constructor(received: ReadBuffer, accept: string) {
    this.#received = received;
    this.#accept = accept;
  }

  /** The head has arrived and refuses; at most the body is still to come. */
  get isRefusal(): boolean {
    return this.#head !== null && this.#head.status !== 101;
  }

  /**
   * @param hasEnded nothing more arrives, or is waited for
   * @returns `null` = not complete yet
   */
  read(hasEnded: boolean): UpgradeVerdict | null {
    const received = this.#received;
    while (this.#head === null || isInterim(this.#head)) {
      const failure = this.#takeHead();
      if (failure !== null) return { kind: 'failed', failure };
      if (this.#head === null) return null;
    }
    const { status, headers, body: length } = this.#head;
    const requestId = readRequestId(headers.get('cartesia-request-id')) ?? readRequestId(headers.get('x-request-id'));
    if (status === 101) {
      return isAcceptance(this.#head, this.#accept)
        ? { kind: 'accepted', requestId }
        : { kind: 'failed', failure: new UpstreamFailure('malformed', 'HANDSHAKE') };
    }
    const isLong = received.end >= BODY_MAX_BYTES;
    const body = readBody(received.bytes.subarray(0, received.end), length, hasEnded || isLong);
    if (body === null) {
      received.consume(0, false);
      return null;
    }
    const words = (headers.get('content-encoding') ?? 'identity').toLowerCase() === 'identity' ? body : '';
    return {
      kind: 'refused',
      answer: { status, body: words, requestId, retryAfter: headers.get('retry-after') ?? null },
    };
  }

  /** Sets `#head`; `null` while it is not complete. */
  #takeHead(): UpstreamFailure | null {
    const received = this.#received;
    this.#head = null;
    const bytes = received.bytes.subarray(0, received.end);
    const end = bytes.indexOf('\r\n\r\n');
    if (end > HEAD_MAX_BYTES || (end === -1 && received.end > HEAD_MAX_BYTES))
      return new UpstreamFailure('oversized', 'HEAD');
    if (end === -1) return this.#lookAtBeginning(bytes);
    this.#looked = 0;
    this.#head = readHead(received.bytes.toString('latin1', 0, end));
    if (this.#head === null) return new UpstreamFailure('malformed', 'HEAD');
    received.consume(end + 4, false);
    return null;
  }

  /** Fails if the head can never become valid, instead of waiting for the rest. */
  #lookAtBeginning(bytes: Buffer): UpstreamFailure | null {
    try {
      checkBeginning(bytes, 0, Math.max(0, this.#looked - 1));
    } catch (error) {
      return toUpstreamFailure(error);
    }
    this.#looked = bytes.length;
    this.#received.consume(0, false);
    return null;
  }
}

/** RFC 9110 §15.2. */
function isInterim({ status }: UpgradeHead): boolean {
  return status < 200 && status !== 101;
}
