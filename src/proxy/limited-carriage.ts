// What stands between a request that was found good and its carriage: a lease, budgets, and a place on the list of what is open.
import type { FastifyReply, FastifyRequest } from 'fastify';
import { admitted } from '../admission/admitted.ts';
import type { QuotaUnit } from '../config/budget.ts';
import type { Limits } from '../limits/limits.ts';
import type { Booking } from '../limits/quotas.ts';
import type { Endpoint } from '../upstream/endpoints.ts';
import type { Cargo } from './cargo.ts';
import type { Carrier } from './carrier.ts';
import { carryUnderLease } from './under-lease.ts';

export interface LimitedCarriage {
  readonly carrier: Carrier;
  readonly limits: Limits;
  readonly endpoint: Endpoint;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** What it will consume, in the unit of the endpoint; 0 = that is known when it is over. */
  readonly amount: number;
  /** Makes the cargo, once it may go. */
  readonly load: () => Cargo | Promise<Cargo>;
}

/**
 * Asks for lease and budget at the same time, so that both cost one round trip to the store. Where they are refused, the answer is the
 * Problem `concurrency_limited`, `quota_exceeded` or `store_unavailable`.
 * @returns a promise only where the cargo is one; otherwise nothing, for Fastify would listen for the end of a reply that it is handed
 */
export function carryLimited(carriage: LimitedCarriage): Promise<FastifyReply> | undefined {
  const { limits, endpoint, request, reply } = carriage;
  const { principal } = admitted(request);
  const unit = unitOf(endpoint);
  const isBooked = unit !== null && limits.quotas.isLimited(unit, principal.client);
  const isLeased = endpoint.concurrency !== 'none' && limits.leases.isLimited(endpoint.concurrency, principal.client);
  if (isBooked || isLeased) {
    carryWithin(carriage).catch((problem) => {
      if (!reply.sent) reply.send(problem);
    });
    return undefined;
  }
  const cargo = carriage.load();
  if (cargo instanceof Promise) {
    return cargo.then((loaded) => {
      listed(carriage).carry(request, reply, loaded);
      return reply;
    });
  }
  listed(carriage).carry(request, reply, cargo);
  return undefined;
}

async function carryWithin(carriage: LimitedCarriage): Promise<void> {
  const { limits, endpoint, request, reply } = carriage;
  const { principal } = admitted(request);
  const { leases, quotas } = limits;
  const unit = unitOf(endpoint);
  const booking =
    unit !== null && quotas.isLimited(unit, principal.client) ? quotas.book(unit, principal, carriage.amount) : null;
  const carrier = listed(carriage);
  if (endpoint.concurrency === 'none' || !leases.isLimited(endpoint.concurrency, principal.client)) {
    carrier.carry(request, reply, await booked(carriage, await booking));
    return;
  }
  const kind = endpoint.concurrency;
  let isLoaded = false;
  try {
    await carryUnderLease({
      carrier,
      request,
      reply,
      ask: (waitMs) => leases.ask(kind, principal, waitMs),
      waitMs: leases.waits.http,
      beside: booking,
      load: async () => {
        const one = await booking;
        isLoaded = true;
        return booked(carriage, one);
      },
    });
  } finally {
    if (!isLoaded) booking?.then((one) => one.settle(0)).catch(() => {}); // nothing was booked then
  }
}

function unitOf({ cost }: Endpoint): QuotaUnit | null {
  return cost === 'none' ? null : cost;
}

/** The cargo, whose end settles the booking. */
async function booked({ endpoint, request, load }: LimitedCarriage, booking: Booking | null): Promise<Cargo> {
  if (booking === null) return load();
  try {
    const cargo = await load();
    return {
      ...cargo,
      settle(passed) {
        cargo.settle(passed);
        const { usage } = request.record;
        booking.settle(endpoint.cost === 'characters' ? (usage?.characters ?? 0) : (usage?.audioSeconds ?? 0));
      },
    };
  } catch (error) {
    booking.settle(0);
    throw error;
  }
}

/** What is carried can be seen and ended by the operator. */
function listed({ carrier, limits, endpoint, request }: LimitedCarriage): Pick<Carrier, 'carry'> {
  const { principal } = admitted(request);
  return {
    carry(one, reply, cargo) {
      let isOver = false;
      let left = (): void => {};
      const carried = carrier.carry(one, reply, {
        ...cargo,
        settle(passed) {
          isOver = true;
          left();
          cargo.settle(passed);
          recordUsage(limits, one, endpoint.path);
        },
      });
      if (!isOver)
        left = limits.sessions.add({ id: one.id, principal, endpoint: endpoint.path, cut: () => carried.cut() });
      return carried;
    },
  };
}

function recordUsage({ usage: records }: Limits, request: FastifyRequest, endpoint: string): void {
  const { usage } = request.record;
  if (usage === null || usage.characters + usage.audioSeconds === 0) return;
  const { client, subject } = admitted(request).principal;
  const { characters, audioSeconds } = usage;
  // What cannot be recorded is in the log.
  records
    .add({ atMs: Date.now(), client, subject, endpoint, characters, audioSeconds, callSeconds: 0 })
    .catch(() => {});
}
