// Gets a lease and budgets for a checked request before it is carried. Both are asked for at the same time, so that together they cost one
// round trip to the store, and no wait at all if the store is in this process.
import type { FastifyReply } from 'fastify';
import { admitted } from '../admission/admitted.ts';
import type { QuotaUnit } from '../config/budget.ts';
import type { LeaseRequest } from '../limits/lease.ts';
import type { Booking } from '../limits/quotas.ts';
import type { LeaseKind } from '../store/lease-rules.ts';
import type { Soon } from '../store/soon.ts';
import type { Endpoint } from '../upstream/endpoints.ts';
import type { Cargo } from './cargo.ts';
import { grantedTo } from './granted-to.ts';
import { type Holding, type Journey, LimitedCargo } from './limited-cargo.ts';

export interface CarryLimitedOptions extends Journey {
  /** What it will consume, in the endpoint's unit; 0 = not known until it is over. */
  readonly amount: number;
  /** Makes the cargo, once it may be carried. */
  readonly load: () => Soon<Cargo>;
}

/**
 * If the lease or budget is refused, the response is the Problem `concurrency_limited`, `quota_exceeded` or `store_unavailable`.
 * @returns a promise only if the cargo is one; otherwise nothing, because Fastify would listen for the end of a reply that it is given
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
    return setOff(options, { lease: granted, booking, untilMs });
  setOffLater(options, { asked, booking, untilMs }).catch((problem) => {
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

/** Gives back everything in `holding` if the cargo cannot set off. */
function setOff(options: CarryLimitedOptions, holding: Holding): Promise<FastifyReply> | undefined {
  try {
    const cargo = options.load();
    if (cargo instanceof Promise) return setOffOnceLoaded(options, holding, cargo);
    new LimitedCargo(options, cargo, holding).setOff();
    return undefined;
  } catch (error) {
    letGo(holding);
    throw error;
  }
}

async function setOffOnceLoaded(
  options: CarryLimitedOptions,
  holding: Holding,
  cargo: Promise<Cargo>,
): Promise<FastifyReply> {
  const { reply } = options;
  try {
    const loaded = await cargo;
    if (reply.raw.destroyed) {
      letGo(holding);
      return reply.hijack(); // the client is gone
    }
    new LimitedCargo(options, loaded, holding).setOff();
    return reply;
  } catch (error) {
    letGo(holding);
    throw error;
  }
}

/** What has been asked for. */
interface Asked {
  readonly asked: LeaseRequest | null;
  readonly booking: Soon<Booking> | null;
  readonly untilMs: number;
}

/** Carries nothing if the client goes away first. */
async function setOffLater(options: CarryLimitedOptions, { asked, booking, untilMs }: Asked): Promise<void> {
  const { reply } = options;
  // At once, so as not to wait for a lease that could not be used.
  if (booking instanceof Promise) booking.catch(() => asked?.cancel());
  const [granted, booked] = await Promise.allSettled([asked === null ? null : grantedTo(reply, asked), booking]);
  const holding = { lease: fulfilled(granted), booking: fulfilled(booked), untilMs };
  const refusal = [booked, granted].find(({ status }) => status === 'rejected');
  const isGone = reply.raw.destroyed || (asked !== null && holding.lease === null);
  if (refusal === undefined && !isGone) {
    await setOff(options, holding);
    return;
  }
  letGo(holding);
  if (refusal?.status === 'rejected') throw refusal.reason;
  reply.hijack(); // the client is gone
}

function letGo({ lease, booking }: Holding): void {
  lease?.release();
  booking?.settle(0); // nothing was consumed
}

function fulfilled<T>(result: PromiseSettledResult<T>): T | null {
  return result.status === 'fulfilled' ? result.value : null;
}
