// A request under way, with all that must be given back when it is over: its lease, its booked budgets and its entry in the session list.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { admitted } from '../admission/admitted.ts';
import type { Problem } from '../errors/problems.ts';
import type { Lease } from '../limits/lease.ts';
import type { Limits } from '../limits/limits.ts';
import type { Booking } from '../limits/quotas.ts';
import type { Endpoint } from '../upstream/endpoints.ts';
import { recordUsage } from '../usage/record-usage.ts';
import type { Carrier } from './carrier.ts';
import type { CheckedRequest, Passed, UpstreamBody } from './checked-request.ts';
import { grantedTo } from './granted-to.ts';

/** What the request is carried with. */
export interface LimitedRequestParts {
  readonly carrier: Carrier;
  readonly limits: Limits;
  readonly endpoint: Endpoint;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** What the request holds while it is under way. */
export interface HeldLimits {
  /** `null`: no concurrency limit applies. */
  readonly lease: Lease | null;
  /** `null`: no budget applies. */
  readonly booking: Booking | null;
  /** Until when it may be tried again with another lease; monotonic milliseconds. */
  readonly untilMs: number;
}

export class LimitedRequest implements CheckedRequest {
  readonly endpoint: Endpoint;
  readonly target: string;
  readonly version: string;
  readonly body: UpstreamBody;
  readonly contextId: string | null;
  readonly observe?: (chunk: Buffer) => void;
  readonly #parts: LimitedRequestParts;
  readonly #checked: CheckedRequest;
  readonly #booking: Booking | null;
  readonly #untilMs: number;
  #lease: Lease | null;
  #left: (() => void) | null = null;
  /** Ends what is under way at the moment: a try, or the wait for the next one. */
  #cut: (problem: Problem) => void = () => {};
  /** It was cut with this while it waited for the next try. */
  #refusal: Problem | null = null;
  /** Pause before the next try, milliseconds. */
  #pauseMs = FIRST_PAUSE_MS;
  #state: 'ready' | 'carried' | 'taken back' | 'over' = 'ready';

  constructor(parts: LimitedRequestParts, checked: CheckedRequest, { lease, booking, untilMs }: HeldLimits) {
    this.endpoint = checked.endpoint;
    this.target = checked.target;
    this.version = checked.version;
    this.body = checked.body;
    this.contextId = checked.contextId;
    if (checked.observe !== undefined) this.observe = checked.observe;
    this.#parts = parts;
    this.#checked = checked;
    this.#lease = lease;
    this.#booking = booking;
    this.#untilMs = untilMs;
  }

  /**
   * Starts carrying it. From now on the operator can see and end it.
   * @throws Problem `token_revoked`: its caller was revoked while it waited
   */
  start(): void {
    const { carrier, limits, endpoint, request, reply } = this.#parts;
    const { principal } = admitted(request);
    limits.revocations.checkAgain(principal);
    this.#state = 'carried';
    const carried = carrier.carry(request, reply, this);
    if (this.#state !== 'carried') return;
    this.#cut = (problem) => carried.cut(problem);
    const cut = (problem: Problem): void => this.#cut(problem);
    this.#left ??= limits.sessions.add({ id: request.id, principal, endpoint: endpoint.path, cut });
  }

  /** Something else uses the account, too. Nothing was generated, so it may be tried again if its body can be sent again. */
  takeBack(hintMs: number): boolean {
    if (this.#lease === null) return false;
    this.#lease.refusedUpstream();
    if (!Buffer.isBuffer(this.body.content) || this.#parts.reply.raw.destroyed) return false;
    // With nothing else of ours under way, a lease is granted at once: without a pause, upstream would be asked continuously.
    this.#pauseMs = Math.max(2 * this.#pauseMs, hintMs);
    if (performance.now() + this.#pauseMs >= this.#untilMs) return false;
    this.#state = 'taken back';
    return true;
  }

  settle(passed: Passed): void {
    const isTakenBack = this.#state === 'taken back';
    this.#state = isTakenBack ? 'ready' : 'over';
    if (this.#lease !== null) giveBack(this.#lease, passed);
    this.#lease = null;
    if (isTakenBack) void this.#tryAgain();
    else this.#end(passed);
  }

  async #tryAgain(): Promise<void> {
    const { reply } = this.#parts;
    try {
      await this.#pause();
      this.#lease = reply.raw.destroyed ? null : await this.#askAgain();
      if (this.#refusal !== null) throw this.#refusal;
      if (this.#lease !== null) return this.start();
      reply.hijack(); // the client is gone
    } catch (error) {
      this.#lease?.release();
      reply.send(error);
    }
    this.#end(NOTHING_PASSED);
  }

  #pause(): Promise<void> {
    const { carrier, reply } = this.#parts;
    const { over, cut } = carrier.pause(reply.raw, this.#pauseMs);
    this.#cut = (problem) => {
      this.#refusal = problem;
      cut(problem);
    };
    return over;
  }

  #askAgain(): Promise<Lease | null> {
    const { limits, endpoint, request, reply } = this.#parts;
    if (endpoint.concurrency === 'none') throw new TypeError('it had a lease');
    const waitMs = Math.max(1, Math.floor(this.#untilMs - performance.now()));
    const asked = limits.leases.ask(endpoint.concurrency, admitted(request).principal, waitMs);
    this.#cut = (problem) => {
      this.#refusal = problem;
      asked.cancel();
    };
    return grantedTo(reply, asked);
  }

  /** It is over for good. What it consumed is known now. */
  #end(passed: Passed): void {
    const { limits, endpoint, request } = this.#parts;
    this.#left?.();
    this.#checked.settle(passed);
    const { usage } = request.record;
    this.#booking?.settle(endpoint.cost === 'characters' ? (usage?.characters ?? 0) : (usage?.audioSeconds ?? 0));
    if (usage === null) return;
    const { client, subject } = admitted(request).principal;
    const { characters, audioSeconds } = usage;
    recordUsage(limits.usage, { client, subject, endpoint }, { requests: 1, characters, audioSeconds, callSeconds: 0 });
  }
}

/** Doubled before each try. */
const FIRST_PAUSE_MS = 25;

const NOTHING_PASSED: Passed = { audioBytes: 0, outcome: 'refused' };

function giveBack(lease: Lease, { outcome }: Passed): void {
  if (outcome === 'answered' || outcome === 'refused') lease.release();
  else lease.releaseLater();
}
