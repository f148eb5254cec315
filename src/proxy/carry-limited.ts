// Gets a lease and budgets for a checked request before it is carried. Both are asked for at the same time, so that together they cost one
// round trip to the store, and no wait at all if the store is in this process.
import type { FastifyReply } from 'fastify';
import { admitted } from '../admission/admitted.ts';
import type { QuotaUnit } from '../config/budget.ts';
import type { LeaseRequest } from '../limits/lease.ts';
import type { Booking } from '../limits/quotas.ts';
import type { LeaseKind } from '../store/lease-rules.ts';
import type { MaybePromise } from '../store/maybe-promise.ts';
import type { Endpoint } from '../upstream/endpoints.ts';
import type { CheckedRequest } from './checked-request.ts';
import { grantedTo } from './granted-to.ts';
import { type HeldLimits, LimitedRequest, type LimitedRequestParts } from './limited-request.ts';

export interface CarryLimitedOptions extends LimitedRequestParts {
  /** What it will consume, in the endpoint's unit; 0 = not known until it is over. */
  readonly amount: number;
  /** Makes the checked request, once it has its lease and budgets. */
  readonly prepare: () => MaybePromise<CheckedRequest>;
}

/**
 * If the lease or budget is refused, the response is the Problem `concurrency_limited`, `quota_exceeded` or `store_unavailable`.
 * @returns a promise only if `prepare` returns one; otherwise nothing, because Fastify would listen for the end of a reply that it is given
 * @throws Problem if it is refused at once
 */
export function carryLimited(options: CarryLimitedOptions): Promise<FastifyReply> | undefined {
  const { limits, endpoint, request, reply } = options;
  const { leases, quotas } = limits;
  const { principal } = admitted(request);
  const unit = unitOf(endpoint);
  const booking =
    unit !== null && quotas.isLimited(unit, principal.client) ? quotas.book(unit, principal, options.amount) : null;
  const kind = kindOf(endpoint);
  const asked =
    kind !== null && leases.isLimited(kind, principal.client) ? leases.ask(kind, principal, leases.waits.http) : null;
  const granted = asked === null ? null : asked.granted;
  const untilMs = asked === null ? 0 : performance.now() + leases.waits.http;
  if (!(booking instanceof Promise) && !(granted instanceof Promise))
    return carry(options, { lease: granted, booking, untilMs });
  carryLater(options, { asked, booking, untilMs }).catch((problem) => {
    if (!reply.sent) reply.send(problem);
  });
  return undefined;
}

function unitOf({ cost }: Endpoint): QuotaUnit | null {
  return cost === 'none' ? null : cost;
}

function kindOf({ concurrency }: Endpoint): LeaseKind | null {
  return concurrency === 'none' ? null : concurrency;
}

/** Gives back everything in `held` if the request cannot be carried. */
function carry(options: CarryLimitedOptions, held: HeldLimits): Promise<FastifyReply> | undefined {
  try {
    const prepared = options.prepare();
    if (prepared instanceof Promise) return carryOncePrepared(options, held, prepared);
    new LimitedRequest(options, prepared, held).start();
    return undefined;
  } catch (error) {
    release(held);
    throw error;
  }
}

async function carryOncePrepared(
  options: CarryLimitedOptions,
  held: HeldLimits,
  preparing: Promise<CheckedRequest>,
): Promise<FastifyReply> {
  const { reply } = options;
  try {
    const prepared = await preparing;
    if (reply.raw.destroyed) {
      release(held);
      return reply.hijack(); // the client is gone
    }
    new LimitedRequest(options, prepared, held).start();
    return reply;
  } catch (error) {
    release(held);
    throw error;
  }
}

/** What has been asked for. */
interface Asked {
  readonly asked: LeaseRequest | null;
  readonly booking: MaybePromise<Booking> | null;
  readonly untilMs: number;
}

/** Carries nothing if the client goes away first. */
async function carryLater(options: CarryLimitedOptions, { asked, booking, untilMs }: Asked): Promise<void> {
  const { reply } = options;
  // At once, so as not to wait for a lease that could not be used.
  if (booking instanceof Promise) booking.catch(() => asked?.cancel());
  const [granted, booked] = await Promise.allSettled([asked === null ? null : grantedTo(reply, asked), booking]);
  const held = { lease: fulfilled(granted), booking: fulfilled(booked), untilMs };
  const refusal = [booked, granted].find(({ status }) => status === 'rejected');
  const isGone = reply.raw.destroyed || (asked !== null && held.lease === null);
  if (refusal === undefined && !isGone) {
    await carry(options, held);
    return;
  }
  release(held);
  if (refusal?.status === 'rejected') throw refusal.reason;
  reply.hijack(); // the client is gone
}

function release({ lease, booking }: HeldLimits): void {
  lease?.release();
  booking?.settle(0); // nothing was consumed
}

function fulfilled<T>(result: PromiseSettledResult<T>): T | null {
  return result.status === 'fulfilled' ? result.value : null;
}
