// One request on its way to Cartesia and its response on the way back: streams with backpressure, keeps nothing but what a slow client's
// socket holds back, and ends everything on every exit.
import type { ServerResponse } from 'node:http';
import type { Listed } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { Deadlines } from '../upstream/endpoints.ts';
import type { BodyForm, UpstreamControl, UpstreamHandler } from '../upstream/transport.ts';
import { problemOfFailure, UpstreamFailure } from '../upstream/upstream-failure.ts';
import { AnswerBody } from './answer-body.ts';
import { breakConnection } from './break-connection.ts';
import type { EventStream } from './events/event-stream.ts';
import { type AnswerHead, readAnswerHead } from './response-headers.ts';

/** What the forwarding needs from the client's side. */
export interface ForwardingParts {
  readonly response: ServerResponse;
  readonly deadlines: Deadlines;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Rewrites an event stream; `null` where bytes pass unchanged. */
  readonly events: EventStream | null;
  /** Whether a text contains our key. */
  readonly isRevealing: (text: string) => boolean;
  /** Sees the body of a successful response as it passes. */
  readonly observe: ((chunk: Buffer) => void) | null;
  /** Writes the head of a successful response, which the forwarding owns from then on. `framed`: the body that follows is already chunked. */
  readonly begin: (status: number, head: AnswerHead, form: BodyForm) => void;
  /** Responds with a problem; no response has begun yet. */
  readonly refuse: (problem: Problem) => void;
  /** Responds to an error response from upstream, which has been read completely. */
  readonly refuseWith: (status: number, body: string, head: AnswerHead) => void;
  /** Called once the forwarding has closed everything it held open. */
  readonly ended: (outcome: ForwardingOutcome) => void;
}

export type ForwardingOutcome =
  | { readonly outcome: 'answered' }
  | { readonly outcome: 'refused' }
  /** The client went away or was still reading at the deadline; or we ended it early, which `problem` explains. */
  | { readonly outcome: 'aborted'; readonly problem?: Problem }
  /** Upstream's response broke off after it had begun. */
  | { readonly outcome: 'cut'; readonly failure: UpstreamFailure };

/** A gateway's error page may be longer; then its status says enough. */
const ERROR_BODY_MAX_BYTES = 16_384;

export class Forwarding implements UpstreamHandler, Listed {
  /** Index in the carrier's list of open forwardings. */
  place = -1;
  /** Bytes of the response body that were passed on, framing excluded. */
  bytes = 0;
  /** The request was sent, at least in part, before the forwarding was over. Otherwise upstream cannot have heard of it. */
  wasSent = false;
  readonly #parts: ForwardingParts;
  readonly #startedMs: number;
  #control: UpstreamControl | null = null;
  #phase: 'waiting' | 'streaming' | 'error' | 'over' = 'waiting';
  #movedMs: number;
  #isPaused = false;
  #body: AnswerBody | null = null;
  #isEnded = false;
  #status = 0;
  #head: AnswerHead | null = null;
  #errorBody: Buffer[] = [];
  #errorBytes = 0;
  readonly #onClose = (): void => this.#clientGone();

  constructor(parts: ForwardingParts) {
    this.#parts = parts;
    this.#startedMs = parts.now();
    this.#movedMs = this.#startedMs;
    // Fires also after a complete response; then there is nothing left to end.
    // First of all listeners: those that log the request when it is over need to know what it consumed.
    parts.response.prependListener('close', this.#onClose);
  }

  /** Milliseconds since it began. */
  get ageMs(): number {
    return this.#parts.now() - this.#startedMs;
  }

  /**
   * Called at regular intervals for every open forwarding. There is a total deadline because a response that trickles in never exceeds the
   * one between two pieces.
   */
  checkDeadlines(now: number): void {
    const { headMs, idleMs, totalMs } = this.#parts.deadlines;
    const isLate =
      now - this.#startedMs > totalMs ||
      // While the client is slow to read, upstream is not late. The listener ends connections of clients that stop reading.
      (this.#phase === 'waiting' ? now - this.#startedMs > headMs : !this.#isPaused && now - this.#movedMs > idleMs);
    if (!isLate || this.#phase === 'over') return;
    // A client that has not read everything by now is not upstream's fault, and cannot be told anything.
    if (this.#isPaused) {
      this.#finish({ outcome: 'aborted' }, true);
      return;
    }
    const control = this.#control;
    this.onFailure(new UpstreamFailure('deadline', `${Math.round(now - this.#startedMs)} ms`));
    control?.abort(); // after `onFailure`, so that the abort is not taken for the reason
  }

  /** The request was refused while its body was being passed on, and whatever refused it has responded, unless a response had begun. */
  giveUp(problem: Problem): void {
    if (this.#phase === 'streaming') this.cut(problem);
    if (this.#phase === 'over') return;
    const control = this.#control;
    this.#finish({ outcome: 'refused' }, false);
    control?.abort();
  }

  /** Ends it early, for the operator or a shutdown, and tells the client why if it still can. */
  cut(problem: Problem): void {
    if (this.#phase === 'over') return;
    const { events } = this.#parts;
    const isStreaming = this.#phase === 'streaming';
    if (!isStreaming) this.#parts.refuse(problem);
    else if (events !== null) this.#endEvents(events, () => problem);
    this.#finish({ outcome: 'aborted', problem }, isStreaming && events === null);
  }

  onSent(control: UpstreamControl): void {
    this.#control = control;
    if (this.#phase === 'over') control.abort();
    else this.wasSent = true;
  }

  onHead(status: number, headers: readonly string[], isChunked: boolean): BodyForm {
    if (this.#phase !== 'waiting') return 'data';
    this.#movedMs = this.#parts.now();
    this.#status = status;
    const { events, isRevealing } = this.#parts;
    const head = readAnswerHead(headers, { isRewritten: events !== null, isRevealing });
    this.#head = head;
    const complaint = complaintAbout(status, head, events !== null);
    if (complaint !== null) {
      const control = this.#control;
      this.onFailure(new UpstreamFailure('answer', complaint));
      control?.abort();
      return 'data';
    }
    if (status >= 300) {
      this.#phase = 'error';
      return 'data';
    }
    this.#phase = 'streaming';
    const form = isChunked && this.#isPassedAsItStands() ? 'framed' : 'data';
    this.#parts.begin(status, head, form);
    this.#body = new AnswerBody(this.#parts.response, form === 'framed');
    process.nextTick(flushHead, this);
    return form;
  }

  /** Sends a head that came alone without waiting for data: clients measure when it arrives. */
  flushHead(): void {
    if (this.#phase === 'streaming') this.#body?.sendHead();
  }

  onData(chunk: Buffer, dataBytes: number, isLast: boolean): boolean {
    if (this.#phase === 'streaming') this.#pass(chunk, dataBytes, isLast);
    else if (this.#phase === 'error') this.#collect(chunk);
    return this.#body === null || this.#body.isPending;
  }

  onEnd(): void {
    if (this.#phase === 'error') this.#endError();
    if (this.#phase !== 'streaming') return;
    const { events } = this.#parts;
    if (events !== null) this.#endEvents(events, BROKEN_STREAM);
    else if (!this.#isEnded) this.#body?.end();
    this.#finish(
      events?.isCut === true ? { outcome: 'cut', failure: new UpstreamFailure('cut', 'END') } : { outcome: 'answered' },
      false,
    );
  }

  onFailure(failure: UpstreamFailure): void {
    if (this.#phase === 'streaming') this.#breakOff(failure);
    else if (this.#phase === 'error')
      this.#endError(); // its status says enough
    else if (this.#phase === 'waiting') {
      this.#parts.refuse(problemOfFailure(failure));
      this.#finish({ outcome: 'refused' }, false);
    }
  }

  /** Nothing here inspects the body, and the client speaks HTTP/1.1, so chunks may stay as they are. */
  #isPassedAsItStands(): boolean {
    const { events, observe, response } = this.#parts;
    return events === null && observe === null && response.req.httpVersion === '1.1';
  }

  #pass(chunk: Buffer, dataBytes: number, isLast: boolean): void {
    const { events, observe } = this.#parts;
    this.bytes += dataBytes;
    observe?.(chunk);
    if (isLast && events === null) {
      this.#isEnded = true;
      this.#body?.endWith(chunk);
      return;
    }
    this.#movedMs = this.#parts.now();
    const out = events === null ? chunk : events.push(chunk);
    if (out === null || this.#body?.write(out) !== false || this.#isPaused) return;
    this.#isPaused = true;
    this.#control?.pause();
    this.#body?.onDrain(() => this.#drained());
  }

  /** An event stream can say that it broke off; audio can only break off. */
  #breakOff(failure: UpstreamFailure): void {
    const { events } = this.#parts;
    if (events !== null) this.#endEvents(events, failure.kind === 'deadline' ? LATE_STREAM : BROKEN_STREAM);
    // An event stream that has said how it ended is whole, however its connection ends.
    this.#finish(events?.isCut === false ? { outcome: 'answered' } : { outcome: 'cut', failure }, events === null);
  }

  #endEvents(events: EventStream, why: () => Problem): void {
    const last = events.cut(why);
    if (last !== null) this.#body?.write(last);
    this.#body?.end();
  }

  #collect(chunk: Buffer): void {
    this.#errorBytes += chunk.length;
    if (this.#errorBytes <= ERROR_BODY_MAX_BYTES) this.#errorBody.push(chunk);
    else {
      this.#errorBody = [];
      this.#control?.abort();
      this.#endError();
    }
  }

  #endError(): void {
    if (this.#phase !== 'error' || this.#head === null) return;
    // Another try may use the response next.
    this.#parts.response.off('close', this.#onClose);
    // A body that is compressed, although nobody asked for that, is not read; its status says enough.
    const body = this.#head.isCoded ? '' : Buffer.concat(this.#errorBody).toString('utf8');
    this.#parts.refuseWith(this.#status, body, this.#head);
    this.#finish({ outcome: 'refused' }, false);
  }

  #drained(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#movedMs = this.#parts.now();
    this.#control?.resume();
  }

  #clientGone(): void {
    if (this.#phase === 'over') return;
    this.#finish({ outcome: 'aborted' }, false);
  }

  /** @param isCut end the client's connection, too, so that a partial response never looks complete */
  #finish(outcome: ForwardingOutcome, isCut: boolean): void {
    const wasOpen = outcome.outcome === 'aborted' || isCut;
    this.#phase = 'over';
    if (wasOpen) this.#control?.abort();
    if (isCut) {
      this.#body?.flush();
      breakConnection(this.#parts.response);
    }
    this.#control = null;
    this.#body = null;
    this.#errorBody = [];
    this.#parts.ended(outcome);
  }
}

const EVENT_STREAM = /^text\/event-stream(?:\s*;|$)/i;

/** What makes a response unreadable for every client; `null` if nothing does. */
function complaintAbout(status: number, { contentType, isCoded }: AnswerHead, isForEvents: boolean): string | null {
  if (status > STATUS_MAX) return 'status out of range';
  if (status >= 300) return null; // an error's body is read as far as possible
  if (isCoded) return 'content-encoding';
  return isForEvents && !EVENT_STREAM.test(contentType) ? 'no event stream' : null;
}

const STATUS_MAX = 599;

/** Runs after any data that came with the head. */
function flushHead(forwarding: Forwarding): void {
  forwarding.flushHead();
}

/** What the last event says if a stream lacks an end of its own. Made on demand: errors are expensive, and most streams end properly. */
const BROKEN_STREAM = (): Problem =>
  new Problem('upstream_unavailable', 'The stream from Cartesia broke off before it was complete.');
const LATE_STREAM = (): Problem => new Problem('upstream_timeout', 'The stream from Cartesia took too long.');
