// Parses the responses on one connection, in whatever pieces they arrive.
import { HEAD_MAX_BYTES } from '../head-limit.ts';
import { UpstreamFailure } from '../upstream-failure.ts';
import { checkBeginning } from './answer-beginning.ts';
import { malformed, type ParsedHead, parseHead } from './answer-head.ts';
import { type ChunkSink, ChunkWalker } from './chunk-walker.ts';

/** Receives one response, in this order: `onHead` `onBody`* `onComplete`. */
export interface AnswerSink {
  /** @returns whether a chunked body is wanted with its framing, rather than its data alone */
  onHead(head: ParsedHead): boolean;
  /**
   * A range of the buffer that the connection reads into: to keep it, copy it.
   * @param dataBytes how many of the bytes are data; fewer than all if framing is passed, too
   * @param isLast `onComplete` follows at once
   */
  onBody(bytes: Buffer, dataBytes: number, isLast: boolean): void;
  /** @param isReusable another request may follow; `false` if upstream has sent anything after the response */
  onComplete(isReusable: boolean, head: ParsedHead): void;
}

/** Limit on informational responses before the final one. */
const INFORMATIONAL_MAX = 16;
const END_OF_HEAD = '\r\n\r\n';

export class AnswerParser implements ChunkSink {
  readonly #sink: AnswerSink;
  /** The beginning of a head that is not complete yet. */
  #pending: Buffer | null = null;
  #head: ParsedHead | null = null;
  #left = 0;
  #chunks: ChunkWalker | null = null;
  #isFramed = false;
  #informational = 0;
  // State of the piece whose chunks are being walked.
  #bytes: Buffer = NOTHING;
  #start = 0;
  #dataEnd = 0;
  #dataBytes = 0;

  constructor(sink: AnswerSink) {
    this.#sink = sink;
  }

  /**
   * Does not read what follows a complete response in the same piece: nobody has asked for it, and the connection is not reused.
   * @param count the piece's length: the first `count` bytes of the buffer
   * @throws UpstreamFailure `malformed`, `oversized`
   */
  read(bytes: Buffer, count: number): void {
    const at = this.#head === null ? this.#readHead(bytes.subarray(0, count)) : 0;
    const head = this.#head;
    if (at === -1 || head === null) return; // the head is not complete yet, or there was no body
    switch (head.framing.kind) {
      case 'none':
        return;
      case 'length': {
        const end = Math.min(count, at + this.#left);
        this.#left -= end - at;
        if (end > at) this.#sink.onBody(bytes.subarray(at, end), end - at, this.#left === 0);
        if (this.#left === 0) this.#complete(head, end < count);
        return;
      }
      case 'chunked':
        this.#readChunks(bytes, at, count);
        return;
      case 'close':
        if (at < count) this.#sink.onBody(bytes.subarray(at, count), count - at, false);
        return;
    }
  }

  /** Upstream has closed. @returns whether that completes the response */
  end(): boolean {
    const head = this.#head;
    if (head?.framing.kind !== 'close') return false;
    this.#complete(head, false);
    return true;
  }

  onData(from: number, to: number): void {
    this.#dataBytes += to - from;
    this.#dataEnd = to;
    if (!this.#isFramed) this.#sink.onBody(this.#bytes.subarray(from, to), to - from, false);
  }

  onSurplus(at: number): void {
    if (this.#isFramed) this.#passFramed(at, false);
    this.#start = at + 1;
  }

  /** @returns the index in `piece` after the head; -1 if the head is not complete */
  #readHead(piece: Buffer): number {
    const pending = this.#pending;
    const bytes = pending === null ? piece : Buffer.concat([pending, piece]);
    const behind = bytes.length - piece.length; // bytes of earlier pieces
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(END_OF_HEAD, from, 'latin1');
      if (end === -1 ? bytes.length - from > HEAD_MAX_BYTES : end - from > HEAD_MAX_BYTES) {
        throw new UpstreamFailure('oversized', 'HTTP', 'head');
      }
      if (end === -1) {
        checkBeginning(bytes, from, Math.max(from, behind - 1));
        this.#pending = Buffer.from(bytes.subarray(from));
        return -1;
      }
      this.#pending = null;
      const head = parseHead(bytes.toString('latin1', from, end));
      from = end + END_OF_HEAD.length;
      if (head.status >= 200) {
        this.#begin(head, from < bytes.length);
        return from - behind;
      }
      this.#informational += 1;
      if (head.status === 101 || this.#informational > INFORMATIONAL_MAX) throw malformed('informational answer');
      if (from === bytes.length) return -1;
    }
  }

  #begin(head: ParsedHead, hasMore: boolean): void {
    this.#informational = 0;
    this.#head = head;
    const { framing } = head;
    this.#left = framing.kind === 'length' ? framing.bytes : 0;
    const wantsFraming = this.#sink.onHead(head);
    if (framing.kind === 'chunked') {
      this.#chunks = new ChunkWalker();
      this.#isFramed = wantsFraming;
    } else if (framing.kind === 'none') this.#complete(head, hasMore);
  }

  #readChunks(bytes: Buffer, at: number, count: number): void {
    const chunks = this.#chunks;
    const head = this.#head;
    if (chunks === null || head === null) return;
    this.#bytes = bytes;
    this.#start = at;
    this.#dataEnd = at;
    this.#dataBytes = 0;
    let end = at;
    try {
      end = chunks.walk(bytes, at, count, this);
    } catch (error) {
      if (this.#isFramed) this.#passFramed(this.#dataEnd, false); // what was valid up to the error
      throw error;
    }
    if (this.#isFramed) this.#passFramed(end, chunks.isOver);
    this.#bytes = NOTHING;
    if (chunks.isOver) this.#complete(head, end < count);
  }

  #passFramed(end: number, isLast: boolean): void {
    const start = this.#start;
    if (end > start) this.#sink.onBody(this.#bytes.subarray(start, end), this.#dataBytes, isLast);
    this.#dataBytes = 0;
  }

  #complete(head: ParsedHead, hasMore: boolean): void {
    this.#head = null;
    this.#chunks = null;
    this.#isFramed = false;
    this.#sink.onComplete(head.isReusable && !hasMore, head);
  }
}

const NOTHING = Buffer.alloc(0);
