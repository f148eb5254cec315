// Waits for a lease, as long as the client is connected.
import type { FastifyReply } from 'fastify';
import type { Lease, LeaseRequest } from '../limits/lease.ts';

/**
 * @returns `null`: the client has gone, and no lease is held
 * @throws Problem `concurrency_limited`, `store_unavailable`
 */
export async function grantedTo({ raw }: FastifyReply, asked: LeaseRequest): Promise<Lease | null> {
  const gone = (): void => asked.cancel();
  raw.once('close', gone);
  try {
    const lease = await asked.granted;
    if (!raw.destroyed) return lease;
    lease?.release();
    return null;
  } finally {
    raw.off('close', gone);
  }
}
