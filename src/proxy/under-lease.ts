// What counts against the account's concurrency is carried under a lease: taken before anything goes up, given back when all is over.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Lease, LeaseRequest } from '../limits/lease-desk.ts';
import type { Cargo, Passed } from './cargo.ts';
import type { Carrier } from './carrier.ts';

export interface LeasedCarriage {
  readonly carrier: Pick<Carrier, 'carry'>;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Asks for a lease, to be had within this time. */
  readonly ask: (waitMs: number) => LeaseRequest;
  readonly waitMs: number;
  /** What else is asked for meanwhile: where it is refused, nobody waits for a turn that could not be used. */
  readonly beside?: Promise<unknown> | null;
  /** Makes the cargo, once there is a lease. */
  readonly load: () => Cargo | Promise<Cargo>;
}

/** Upstream notices an end that is not its own a moment after us; until then it counts. Milliseconds. */
const LINGER_MS = 250;

/**
 * Waits for a lease and hands the cargo to the carrier. Where the client goes away first, nothing is carried.
 * @throws Problem `concurrency_limited` or `store_unavailable`
 */
export async function carryUnderLease(carriage: LeasedCarriage): Promise<void> {
  const { reply, load } = carriage;
  const untilMs = performance.now() + carriage.waitMs;
  const lease = await leaseFor(carriage, carriage.waitMs);
  if (lease === null) {
    reply.hijack(); // there is nobody to answer
    return;
  }
  try {
    setOff(carriage, await load(), lease, untilMs);
  } catch (error) {
    lease.release();
    throw error;
  }
}

/** `null`: the client has gone. */
async function leaseFor({ ask, reply, beside = null }: LeasedCarriage, waitMs: number): Promise<Lease | null> {
  const asked = ask(waitMs);
  const gone = (): void => asked.cancel();
  reply.raw.once('close', gone);
  beside?.catch(gone); // at once: a refusal that nobody listens to yet would end the process
  const lease = await asked.granted.finally(() => reply.raw.off('close', gone));
  if (reply.raw.destroyed) {
    lease?.release();
    return null;
  }
  await beside;
  return lease;
}

function setOff(carriage: LeasedCarriage, cargo: Cargo, lease: Lease, untilMs: number): void {
  const { carrier, request, reply } = carriage;
  let isTakenBack = false;
  carrier.carry(request, reply, {
    ...cargo,
    // Somebody else uses the account too. Nothing was generated, so it may be tried again, if it can be sent again.
    takeBack() {
      lease.refusedUpstream();
      isTakenBack = Buffer.isBuffer(cargo.body.content) && performance.now() < untilMs && !reply.raw.destroyed;
      return isTakenBack;
    },
    settle(passed) {
      giveBack(lease, passed);
      if (isTakenBack) void tryAgain(carriage, cargo, untilMs);
      else cargo.settle(passed);
    },
  });
}

async function tryAgain(carriage: LeasedCarriage, cargo: Cargo, untilMs: number): Promise<void> {
  let lease: Lease | null = null;
  try {
    lease = await leaseFor(carriage, Math.max(1, Math.floor(untilMs - performance.now())));
    if (lease !== null) return setOff(carriage, cargo, lease, untilMs);
    carriage.reply.hijack();
  } catch (error) {
    lease?.release();
    carriage.reply.send(error);
  }
  cargo.settle(NOTHING_PASSED);
}

const NOTHING_PASSED: Passed = { audioBytes: 0, outcome: 'refused' };

function giveBack(lease: Lease, { outcome }: Passed): void {
  if (outcome === 'answered' || outcome === 'refused') lease.release();
  else setTimeout(() => lease.release(), LINGER_MS);
}
