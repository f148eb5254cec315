// Asks Cartesia for access tokens (`POST /access-token`): one deadline for everything, at most one retry and only if nothing was sent, no
// call at all while the circuit is open.
// Source: https://docs.cartesia.ai/api-reference/auth/access-token
import type { Dispatcher } from 'undici';
import { LiveList } from '../collections/live-list.ts';
import { isCalendarDate } from '../config/calendar-date.ts';
import type { Config } from '../config/config.ts';
import type { Grant } from '../config/grant.ts';
import { Problem } from '../errors/problems.ts';
import { type BreakerState, createCircuitBreaker, type Pass } from './circuit-breaker.ts';
import { createConnectionPool } from './connection-pool.ts';
import { createKeyAlarm, type SharedKeys } from './key-alarm.ts';
import { createKeyRing, type RingKey } from './key-ring.ts';
import { readMintAnswer } from './mint-answer.ts';
import { mintBody } from './mint-body.ts';
import { MintCall } from './mint-call.ts';
import type { MintExchange } from './mint-exchange.ts';
import { type DispatcherSource, Sending } from './sending.ts';
import { SlotQueue } from './slot-queue.ts';
import { createTrust, type Trust } from './trust.ts';
import type { UpstreamEvent } from './upstream-event.ts';
import { problemOfFailure, UpstreamFailure } from './upstream-failure.ts';

export interface UpstreamToken {
  readonly token: string;
  /** Upstream's own id of the request: at most 128 letters, digits and `. _ : -`. */
  readonly requestId: string | null;
  /** From the first attempt to the response; excludes waiting for a connection slot. */
  readonly upstreamMs: number;
}

export interface TokenWish {
  /** Never empty. */
  readonly grants: readonly Grant[];
  /** 1 to 3600. */
  readonly expiresInSeconds: number;
  /** Cartesia-Version, YYYY-MM-DD. */
  readonly version: string;
}

export interface TokenClientHealth {
  readonly breaker: BreakerState;
  /** Calls under way, at most the configured connections. */
  readonly running: number;
  /** Mints that wait for a connection slot. */
  readonly waiting: number;
  /** `null` before the first token. */
  readonly secondsSinceLastToken: number | null;
  /** Keys that Cartesia has not refused in the last minute, and the total. */
  readonly keys: { readonly working: number; readonly total: number };
}

export interface TokenClient {
  /** Rejects with a Problem only. */
  mint(wish: TokenWish): Promise<UpstreamToken>;
  /**
   * Loads the HTTP client, so that the first mint does not pay for it. Opens no connection: that waits for the first mint. Never rejects; a
   * problem shows at the first mint.
   */
  load(): Promise<void>;
  readonly health: TokenClientHealth;
  /** Ends everything: mints under way reject with `draining`, connections close. Idempotent. */
  close(): Promise<void>;
}

export interface TokenClientSeams {
  /** Replaces the pool of connections to `upstream.baseUrl`; `close()` does not close it. */
  readonly dispatcher?: Dispatcher;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly onEvent?: (event: UpstreamEvent) => void;
  /** Default: Node's authorities alone. */
  readonly trust?: Trust;
  /** Default: a ring of its own. */
  readonly keys?: SharedKeys;
}

/** At this many waiting mints, further ones are refused whatever the estimated wait: it bounds memory. */
const WAITING_MAX = 8_192;

/**
 * A mint that has waited in line is not sent with less time left than a call takes at the moment: the token would come too late, and the
 * timeout would look like a failure of Cartesia's. Bounds, as fractions of the deadline: Cartesia needs a good part of a second, and even a
 * slow one is asked if a call has most of its time.
 */
const SENDING_NEEDS_MIN = 0.05;
const SENDING_NEEDS_MAX = 0.5;

type Call = MintCall<UpstreamToken>;

/** @throws Error if a key cannot be sent in a header. */
export function createTokenClient(upstream: Config['upstream'], seams: TokenClientSeams = {}): TokenClient {
  const { now = () => performance.now(), random = Math.random, onEvent = () => {} } = seams;
  const trust = seams.trust ?? createTrust(null);
  const { deadlineMs } = upstream;
  const { ring, keyRefused } = seams.keys ?? ownKeys(upstream, now, onEvent);
  const breaker = createCircuitBreaker({ now, random, onChange: onBreakerChange });
  const slots = new SlotQueue<Call>(upstream.connections, WAITING_MAX);
  // Half the deadline, so that a retry has the other half.
  const pool = createConnectionPool({ upstream, trust, connectTimeoutMs: Math.max(1, Math.floor(deadlineMs / 2)) });
  const source: DispatcherSource = seams.dispatcher === undefined ? pool : givenSource(seams.dispatcher);
  const prefix = new URL(upstream.baseUrl).pathname.replace(/\/+$/, '');
  const path = `${prefix}/access-token`;
  const calls = new LiveList<Call>();
  const isRevealing = (text: string) => ring.isRevealedBy(text);
  let lastTokenMs: number | null = null;
  let isClosed = false;

  function mint(wish: TokenWish): Promise<UpstreamToken> {
    return new Promise((resolve, reject) => {
      if (isClosed) throw new Problem('draining');
      if (ring.size === 0) throw problemOfFailure(new UpstreamFailure('internal', 'no API key'));
      if (!isCalendarDate(wish.version)) throw problemOfFailure(new UpstreamFailure('internal', 'version is no date'));
      const body = mintBody(wish.grants, wish.expiresInSeconds);
      const pass = breaker.enter();
      if (pass === null) throw refusal();
      const call: Call = new MintCall({ version: wish.version, body, pass, enteredAtMs: now(), resolve, reject });
      const answer = slots.enter(call, deadlineMs);
      if (answer === 'full') throw shed(pass);
      calls.add(call);
      call.startTimer(deadlineMs, onDeadline);
      if (answer === 'run') run(call);
    });
  }

  function run(call: Call): void {
    call.sentAtMs = now();
    const key = ring.pick();
    const isLate = call.enteredAtMs + deadlineMs - call.sentAtMs < sendingNeedsMs();
    if (isLate && !call.isSettled) giveUp(call);
    if (call.isSettled || key === null) {
      releaseSlot(call);
      return;
    }
    const request = { path, method: 'POST', headers: key.headers(call.version), body: call.body };
    call.sending = new Sending(source, request, {
      onRetry: ({ kind, code }) => onEvent({ type: 'retry', kind, code }),
      onEnd: (exchange) => {
        try {
          if (!call.isSettled) settleExchange(call, key, exchange);
        } finally {
          releaseSlot(call); // even if one of our listeners throws, the slot is not lost
        }
      },
    });
    call.sending.start();
  }

  function sendingNeedsMs(): number {
    return Math.min(deadlineMs * SENDING_NEEDS_MAX, Math.max(deadlineMs * SENDING_NEEDS_MIN, slots.meanHeldMs));
  }

  function settleExchange(call: Call, key: RingKey, exchange: MintExchange): void {
    const { failure, status, headers } = exchange;
    // For an error page over the limit, the status says enough.
    if (failure !== null && (failure.kind !== 'oversized' || status < 300)) {
      fail(call, problemOfFailure(failure), status);
      return;
    }
    const outcome = readMintAnswer({ status, headers, body: exchange.text() }, { isRevealing, nowMs: Date.now() });
    if (outcome.outcome === 'problem') {
      fail(call, outcome.problem, status);
      if (outcome.keyRefused) keyRefused(key, status);
      return;
    }
    const at = now();
    ring.accepted(key);
    breaker.succeeded(call.pass);
    lastTokenMs = at;
    calls.delete(call);
    const durationMs = at - call.sentAtMs;
    call.resolve({ token: outcome.token, requestId: outcome.requestId, upstreamMs: durationMs });
    onEvent({ type: 'attempt', outcome: 'token', status, durationMs });
  }

  /** @param status upstream's; 0 if there was no response */
  function fail(call: Call, problem: Problem, status: number): void {
    const { code } = problem;
    calls.delete(call);
    call.reject(problem);
    if (code === 'upstream_unavailable' || code === 'upstream_timeout') breaker.failed(call.pass);
    else if (status === 0) breaker.abandoned(call.pass);
    else breaker.succeeded(call.pass);
    const durationMs = now() - call.sentAtMs;
    onEvent({ type: 'attempt', outcome: code, status: status === 0 ? null : status, durationMs });
  }

  function releaseSlot(call: Call): void {
    const next = slots.release(call.sending === null ? null : now() - call.sentAtMs);
    // In a microtask: if the waiting calls all fail at once, the stack must not become as deep as the line is long.
    if (next !== undefined) queueMicrotask(() => run(next));
  }

  function onDeadline(call: Call): void {
    if (call.sending === null) {
      slots.forget(call);
      giveUp(call);
      return;
    }
    const failure = new UpstreamFailure('deadline', `${deadlineMs} ms`);
    fail(call, problemOfFailure(failure), call.sending.status);
    call.sending.cancel(failure);
  }

  /** The deadline passed while the call waited in line: upstream was never asked. */
  function giveUp(call: Call): void {
    calls.delete(call);
    breaker.abandoned(call.pass);
    call.reject(problemOfFailure(new UpstreamFailure('deadline', `${deadlineMs} ms in line`)));
  }

  function onBreakerChange(state: BreakerState): void {
    onEvent({ type: 'breaker', state });
    if (state !== 'open') return;
    for (const call of slots.clear()) {
      calls.delete(call);
      call.reject(refusal());
    }
  }

  function refusal(): Problem {
    onEvent({ type: 'shed', reason: 'breaker' });
    return new Problem('upstream_unavailable', undefined, { retryAfterSeconds: breaker.retryAfterSeconds() });
  }

  function shed(pass: Pass): Problem {
    breaker.abandoned(pass);
    onEvent({ type: 'shed', reason: 'queue' });
    return new Problem('overloaded', undefined, { retryAfterSeconds: 1 });
  }

  async function close(): Promise<void> {
    isClosed = true;
    slots.clear();
    for (const call of calls.all()) {
      calls.delete(call);
      call.reject(new Problem('draining'));
      call.sending?.cancel(new UpstreamFailure('internal', 'closed'));
    }
    await pool.close();
  }

  return {
    mint,
    load: () =>
      source.load().then(
        () => {},
        () => {},
      ),
    close,
    get health() {
      return {
        breaker: breaker.state,
        running: slots.running,
        waiting: slots.waiting,
        secondsSinceLastToken: lastTokenMs === null ? null : (now() - lastTokenMs) / 1_000,
        keys: { working: ring.working, total: ring.size },
      };
    },
  };
}

function ownKeys(
  { apiKeys }: Config['upstream'],
  now: () => number,
  onEvent: (event: UpstreamEvent) => void,
): SharedKeys {
  const ring = createKeyRing(apiKeys, { now });
  return { ring, keyRefused: createKeyAlarm(ring, onEvent) };
}

function givenSource(dispatcher: Dispatcher): DispatcherSource {
  return { dispatcher, load: () => Promise.resolve(dispatcher) };
}
