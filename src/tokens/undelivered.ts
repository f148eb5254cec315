// Reports tokens whose callers had left or were revoked by the time they were minted: nobody has them, yet they count at Cartesia and are valid.
import type { FastifyRequest } from 'fastify';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { RequestRecord } from '../telemetry/request-record.ts';
import type { SubjectHash } from '../telemetry/subject-hash.ts';

export type UndeliveredMint = Omit<NonNullable<RequestRecord['mint']>, 'reused'>;

/** Called when the token is there. The request's own line says that its client left, or why it was refused. */
export type OnUndelivered = (request: FastifyRequest, mint: UndeliveredMint) => void;

/** Writes the second audit line of such a request, and counts it. */
export function reportUndelivered(logger: Logger, metrics: Metrics, subjectHash: SubjectHash): OnUndelivered {
  return ({ id, record }, mint) => {
    const { client, subject, upstreamRequestId } = record;
    if (client === null) throw new TypeError('a mint has a client app');
    metrics.mints.inc({ client, delivery: mint.delivery, outcome: 'undelivered' });
    logger.info(
      {
        request_id: id,
        audit: 'mint',
        outcome: 'undelivered',
        client,
        ...(subject === null ? {} : { subject: subjectHash(client, subject) }),
        grants: mint.grants.join(' '),
        expires_in: mint.expiresIn,
        delivery: mint.delivery,
        ...(upstreamRequestId === null ? {} : { upstream_request_id: upstreamRequestId }),
      },
      'minted, but not delivered',
    );
  };
}
