// Carries admitted requests to Cartesia and the responses back, for all HTTP endpoints.
import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { LiveList } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { Deadlines } from '../upstream/endpoints.ts';
import type { KeyAlarm } from '../upstream/key-alarm.ts';
import type { KeyRing } from '../upstream/key-ring.ts';
import type { UpstreamTransport } from '../upstream/transport.ts';
import { isStream } from './bodies.ts';
import type { CheckedRequest } from './checked-request.ts';
import { Downstream, type SharedParts } from './downstream.ts';
import type { Forwarding } from './forwarding.ts';
import { Pause } from './pause.ts';
import { requestHeaders } from './request-headers.ts';

export interface CarrierOptions {
  readonly transport: UpstreamTransport;
  readonly ring: KeyRing;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly isDraining: () => boolean;
  readonly keyRefused: KeyAlarm;
  /** For tests: shorter times than those of the endpoint table. */
  readonly clocks?: CarrierClocks;
}

/** Milliseconds. */
export interface CarrierClocks {
  readonly deadlines?: Partial<Deadlines>;
  /** How often the deadlines of open requests are checked, by one timer for all of them. */
  readonly lookMs?: number;
}

export interface Carrier {
  /** @returns a handle to end it early */
  carry(request: FastifyRequest, reply: FastifyReply, checked: CheckedRequest): { cut(problem: Problem): void };
  /** Begins a pause before a request is tried again. */
  pause(response: ServerResponse, ms: number): Pick<Pause, 'over' | 'cut'>;
  /** Number of open requests, including those that pause, but not those that wait for a lease. */
  readonly open: number;
  /** Ends all open requests and tells their clients why, where it still can. */
  cut(problem: Problem): void;
  /** Ends every connection to upstream. */
  close(): Promise<void>;
}

const LOOK_MS = 500;

export function createCarrier(options: CarrierOptions): Carrier {
  const { transport, ring, now, clocks = {} } = options;
  const open = new LiveList<Forwarding>();
  const pauses = new LiveList<Pause>();
  const isRevealing = (text: string): boolean => ring.isRevealedBy(text);
  let clock: NodeJS.Timeout | null = null;

  function checkDeadlines(at: number): void {
    for (const one of open.all()) one.checkDeadlines(at);
  }

  /** Node runs timers before it reads sockets: after a standstill of this process, what has arrived meanwhile has to be read first. */
  function watch(forwarding: Forwarding): void {
    open.add(forwarding);
    clock ??= setInterval(() => setImmediate(checkDeadlines, now()), clocks.lookMs ?? LOOK_MS);
  }

  function unwatch(forwarding: Forwarding): void {
    open.delete(forwarding);
    if (open.size > 0 || clock === null) return;
    clearInterval(clock);
    clock = null;
  }

  function cut(problem: Problem): void {
    for (const one of [...open.all(), ...pauses.all()]) one.cut(problem);
  }

  const shared: SharedParts = { ...options, isRevealing, unwatch };

  return {
    carry(request, reply, checked) {
      const key = ring.pick();
      if (key === null) throw new Problem('internal_error', undefined, { cause: new Error('no API key') });
      const { endpoint } = checked;
      const { content } = checked.body;
      const deadlines =
        clocks.deadlines === undefined ? endpoint.deadlines : { ...endpoint.deadlines, ...clocks.deadlines };
      const downstream = new Downstream(shared, { request, reply, checked, key, deadlines });
      const { forwarding } = downstream;
      watch(forwarding);
      if (isStream(content)) {
        content.once('error', (error) => {
          if (error instanceof Problem) forwarding.giveUp(error);
        });
        if (content.errored instanceof Problem) {
          forwarding.giveUp(content.errored);
          return forwarding;
        }
      }
      const headers = requestHeaders(request.headers, checked.body.contentType);
      if (checked.body.length !== null) headers.push('content-length', String(checked.body.length));
      key.sign(headers, checked.version);
      transport.send({ method: endpoint.method, target: checked.target, headers, body: content }, forwarding);
      return forwarding;
    },
    pause(response, ms) {
      const pause = new Pause(response, ms, () => pauses.delete(pause));
      pauses.add(pause);
      return pause;
    },
    get open() {
      return open.size + pauses.size;
    },
    cut,
    close: () => transport.close(),
  };
}
