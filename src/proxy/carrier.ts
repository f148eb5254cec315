// Carries admitted requests: what goes up, what comes down, what it cost. One for all endpoints.
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LiveList } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { Deadlines, Endpoint } from '../upstream/endpoints.ts';
import type { KeyRing, RingKey } from '../upstream/key-ring.ts';
import type { BodyForm, UpstreamTransport } from '../upstream/transport.ts';
import type { UpstreamEvent } from '../upstream/upstream-event.ts';
import { isStream } from './bodies.ts';
import { EventStream } from './event-stream.ts';
import { Forwarding, type ForwardingOutcome } from './forwarding.ts';
import { requestHeaders } from './request-headers.ts';
import type { AnswerHead } from './response-headers.ts';
import { type ErrorAnswer, problemOfAnswer } from './upstream-error.ts';

/** A request that was found worth carrying. */
export interface Cargo {
  readonly endpoint: Endpoint;
  /** Path and query for upstream. */
  readonly target: string;
  /** Cartesia-Version, YYYY-MM-DD. */
  readonly version: string;
  readonly body: UpstreamBody;
  /** Of the request's body; errors on event streams carry it. */
  readonly contextId: string | null;
  /** Sees the body of a good answer as it passes. */
  readonly observe?: (chunk: Buffer) => void;
  /** Upstream has no room for it (429): `true` = whoever sent it off tries again, and the client is told nothing yet. */
  readonly takeBack?: () => boolean;
  /** Told once, when everything is over: what passed. */
  readonly settle: (passed: Passed) => void;
}

export interface UpstreamBody {
  readonly content: Buffer | Readable | null;
  /** Stands in where the client names no media type. */
  readonly contentType: string | null;
  /** Length of a stream where the client has announced it, bytes. */
  readonly length: number | null;
}

/** What reached the client. */
export interface Passed {
  /** Bytes of audio: of the body, or of the chunks in an event stream. */
  readonly audioBytes: number;
  readonly outcome: ForwardingOutcome['outcome'];
}

export interface CarrierOptions {
  readonly transport: UpstreamTransport;
  readonly ring: KeyRing;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly isDraining: () => boolean;
  readonly onEvent: (event: UpstreamEvent) => void;
  /** For tests: shorter than those of the endpoint table. */
  readonly clocks?: CarrierClocks;
}

/** Milliseconds. */
export interface CarrierClocks {
  readonly deadlines?: Partial<Deadlines>;
  /** How often the clocks of open requests are looked at: one timer for all of them. */
  readonly lookMs?: number;
}

export interface Carrier {
  /** @returns how to end it before its time */
  carry(request: FastifyRequest, reply: FastifyReply, cargo: Cargo): { cut(): void };
  /** Requests that are open. */
  readonly open: number;
  /** Cuts what is still open. */
  close(): Promise<void>;
}

const LOOK_MS = 500;

export function createCarrier(options: CarrierOptions): Carrier {
  const { transport, ring, now, isDraining, onEvent, clocks = {} } = options;
  const open = new LiveList<Forwarding>();
  const isRevealing = (text: string): boolean => ring.isRevealedBy(text);
  let clock: NodeJS.Timeout | null = null;

  function watch(forwarding: Forwarding): void {
    open.add(forwarding);
    clock ??= setInterval(() => {
      const at = now();
      for (const one of open.all()) one.checkDeadlines(at);
    }, clocks.lookMs ?? LOOK_MS);
  }

  function unwatch(forwarding: Forwarding): void {
    open.delete(forwarding);
    if (open.size > 0 || clock === null) return;
    clearInterval(clock);
    clock = null;
  }

  return {
    carry(request, reply, cargo) {
      const key = ring.pick();
      if (key === null) throw new Problem('internal_error', undefined, { cause: new Error('no API key') });
      const { endpoint } = cargo;
      const events =
        endpoint.transport === 'sse'
          ? new EventStream({
              contextId: cargo.contextId,
              requestId: request.id,
              isRevealing,
              onKeyRefused: (status) => keyRefused(key, status),
            })
          : null;
      const { record } = request;
      const { content } = cargo.body;

      const forwarding = new Forwarding({
        response: reply.raw,
        deadlines: clocks.deadlines === undefined ? endpoint.deadlines : { ...endpoint.deadlines, ...clocks.deadlines },
        now,
        events,
        isRevealing,
        observe: cargo.observe ?? null,
        begin(status, head, form) {
          record.upstreamMs = forwarding.ageMs;
          record.upstreamRequestId = head.requestId;
          ring.accepted(key);
          reply.hijack();
          writeHead(reply.raw, status, answerHeaders(reply, head, endpoint, isDraining()), form);
        },
        refuse: (problem) => void reply.send(problem),
        refuseWith(status, body, head) {
          record.upstreamRequestId = head.requestId;
          const problem = refusal(key, { status, body, ...head });
          if (status !== 429 || cargo.takeBack?.() !== true) reply.send(problem);
        },
        ended(outcome) {
          unwatch(forwarding);
          // Answered before all of it was sent: the rest is of no use, and without an end it would hold the connection.
          if (isStream(content) && !content.readableEnded) content.destroy();
          record.upstreamMs ??= forwarding.ageMs;
          if (outcome.outcome === 'cut') {
            const code = outcome.failure.kind === 'deadline' ? 'upstream_timeout' : 'upstream_unavailable';
            record.outcome = code;
            onEvent({ type: 'attempt', outcome: code, status: null, durationMs: forwarding.ageMs });
          }
          cargo.settle({
            audioBytes: events === null ? forwarding.bytes : events.audioBytes,
            outcome: outcome.outcome,
          });
        },
      });
      watch(forwarding);
      if (isStream(content)) {
        content.once('error', (error) => {
          if (error instanceof Problem) forwarding.giveUp();
        });
        if (content.errored instanceof Problem) {
          forwarding.giveUp();
          return forwarding;
        }
      }
      const headers = requestHeaders(request.headers, cargo.body.contentType);
      if (cargo.body.length !== null) headers.push('content-length', String(cargo.body.length));
      key.sign(headers, cargo.version);
      transport.send({ method: endpoint.method, target: cargo.target, headers, body: content }, forwarding);
      return forwarding;
    },
    get open() {
      return open.size;
    },
    async close() {
      for (const forwarding of open.all()) forwarding.cut();
      await transport.close();
    },
  };

  function refusal(key: RingKey, answer: ErrorAnswer): Problem {
    const { problem, isKeyRefused } = problemOfAnswer(answer, { isRevealing, nowMs: Date.now() });
    if (isKeyRefused) keyRefused(key, answer.status);
    return problem;
  }

  function keyRefused(key: RingKey, status: number): void {
    ring.refused(key);
    onEvent({ type: 'key_rejected', position: key.position, status, keysWorking: ring.working });
  }
}

function writeHead(response: ServerResponse, status: number, headers: string[], form: BodyForm): void {
  if (form === 'data') response.writeHead(status, headers);
  else {
    headers.push('transfer-encoding', 'chunked');
    response.writeHead(status, headers);
    response.chunkedEncoding = false; // the head says so, and what will be written is so already
  }
}

/** What Fastify's hooks have set (request id, CORS, limits), then upstream's, then ours. */
function answerHeaders(reply: FastifyReply, head: AnswerHead, endpoint: Endpoint, isDraining: boolean): string[] {
  const list: string[] = [];
  const set = reply.getHeaders();
  for (const name in set) {
    const value = set[name];
    if (value !== undefined) list.push(name, Array.isArray(value) ? value.join(', ') : String(value));
  }
  list.push(...head.forwarded);
  // A proxy in front that collected a stream before passing it on would cost the first second of every sentence.
  list.push(
    'cache-control',
    endpoint.transport === 'read' ? 'private, no-cache' : 'no-store',
    'x-accel-buffering',
    'no',
  );
  if (isDraining) list.push('connection', 'close');
  return list;
}
