// The client's side of one carried request: connects the forwarding, which moves the bytes, with the Fastify request that it answers.
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Problem } from '../errors/problems.ts';
import type { Deadlines, Endpoint } from '../upstream/endpoints.ts';
import type { KeyAlarm } from '../upstream/key-alarm.ts';
import type { KeyRing, RingKey } from '../upstream/key-ring.ts';
import { parseRetryAfter } from '../upstream/retry-after.ts';
import type { BodyForm } from '../upstream/transport.ts';
import type { CheckedRequest } from './checked-request.ts';
import { EventStream } from './events/event-stream.ts';
import { Forwarding, type ForwardingOutcome, type ForwardingParts } from './forwarding.ts';
import type { AnswerHead } from './response-headers.ts';
import { problemOfAnswer } from './upstream-error.ts';

/** What all requests of a carrier share. */
export interface SharedParts extends Pick<ForwardingParts, 'isRevealing' | 'now'> {
  readonly ring: Pick<KeyRing, 'accepted'>;
  readonly isDraining: () => boolean;
  readonly keyRefused: KeyAlarm;
  /** Called once the forwarding has closed everything it held open. */
  readonly unwatch: (forwarding: Forwarding) => void;
}

export interface DownstreamParts {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly checked: CheckedRequest;
  readonly key: RingKey;
  readonly deadlines: Deadlines;
}

export class Downstream implements ForwardingParts {
  readonly response: ServerResponse;
  readonly deadlines: Deadlines;
  readonly now: () => number;
  readonly events: EventStream | null;
  readonly isRevealing: (text: string) => boolean;
  readonly observe: ((chunk: Buffer) => void) | null;
  readonly forwarding: Forwarding;
  readonly #shared: SharedParts;
  readonly #parts: DownstreamParts;

  constructor(shared: SharedParts, parts: DownstreamParts) {
    const { request, reply, checked, key, deadlines } = parts;
    const { isRevealing, keyRefused } = shared;
    this.#shared = shared;
    this.#parts = parts;
    this.response = reply.raw;
    this.deadlines = deadlines;
    this.now = shared.now;
    this.isRevealing = isRevealing;
    this.observe = checked.observe ?? null;
    this.events =
      checked.endpoint.transport === 'sse'
        ? new EventStream({
            contextId: checked.contextId,
            requestId: request.id,
            isRevealing,
            keyRefused: (status) => keyRefused(key, status),
          })
        : null;
    this.forwarding = new Forwarding(this);
    // Of a request that was taken back, the record still holds the attempt before.
    request.record.upstreamMs = null;
    request.record.upstreamRequestId = null;
  }

  begin(status: number, head: AnswerHead, form: BodyForm): void {
    const { request, reply, checked, key } = this.#parts;
    const { ring, isDraining } = this.#shared;
    request.record.upstreamMs = this.forwarding.ageMs;
    request.record.upstreamRequestId = head.requestId;
    ring.accepted(key);
    reply.hijack();
    writeHead(reply.raw, status, answerHeaders(reply, head, checked.endpoint, isDraining()), form);
  }

  refuse(problem: Problem): void {
    this.#parts.reply.send(problem);
  }

  refuseWith(status: number, body: string, head: AnswerHead): void {
    const { request, reply, checked, key } = this.#parts;
    const { isRevealing, keyRefused } = this.#shared;
    request.record.upstreamRequestId = head.requestId;
    const { problem, isKeyRefused } = problemOfAnswer({ status, body, ...head }, { isRevealing, nowMs: Date.now() });
    if (isKeyRefused) keyRefused(key, status);
    const isTakenBack = status === 429 && checked.takeBack?.(waitOf(head)) === true;
    if (!isTakenBack) reply.send(problem);
  }

  ended(outcome: ForwardingOutcome): void {
    const { request, checked } = this.#parts;
    const { unwatch } = this.#shared;
    const { forwarding, events } = this;
    const { record } = request;
    unwatch(forwarding);
    record.upstreamMs ??= forwarding.ageMs;
    if (outcome.outcome === 'cut') {
      record.outcome = outcome.failure.kind === 'deadline' ? 'upstream_timeout' : 'upstream_unavailable';
    }
    if (outcome.outcome === 'aborted' && outcome.problem !== undefined) record.outcome = outcome.problem.code;
    if (events !== null && events.upstreamError !== null) record.outcome = events.upstreamError;
    const audioBytes = events === null ? forwarding.bytes : events.audioBytes;
    const isRefusedInside = events !== null && events.upstreamError !== null && audioBytes === 0;
    // A request that never left counts as refused: Cartesia does not charge for it.
    const isTaken = forwarding.wasSent && !isRefusedInside;
    checked.settle({ audioBytes, outcome: isTaken ? outcome.outcome : 'refused' });
  }
}

/** Milliseconds. */
function waitOf({ retryAfter }: AnswerHead): number {
  return 1_000 * (parseRetryAfter(retryAfter ?? undefined, Date.now()) ?? 0);
}

function writeHead(response: ServerResponse, status: number, headers: string[], form: BodyForm): void {
  if (form === 'framed') headers.push('transfer-encoding', 'chunked');
  response.writeHead(status, headers);
}

/** Flat list of headers: those that Fastify's hooks have set (request id, CORS, limits), then upstream's, then ours. */
function answerHeaders(reply: FastifyReply, head: AnswerHead, endpoint: Endpoint, isDraining: boolean): string[] {
  const list: string[] = [];
  const set = reply.getHeaders();
  for (const name in set) {
    const value = set[name];
    if (value !== undefined) list.push(name, String(value)); // of a list: its values with commas between them
  }
  list.push(...head.forwarded);
  // Keeps a proxy in front from buffering a stream, which would delay every sentence by its first second.
  list.push(
    'cache-control',
    endpoint.transport === 'read' ? 'private, no-cache' : 'no-cache, no-store',
    'x-accel-buffering',
    'no',
  );
  if (isDraining) list.push('connection', 'close');
  return list;
}
