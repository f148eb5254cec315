// Reports tokens that were minted for clients that had left: nobody has them, yet they count at Cartesia and are valid.
import type { FastifyRequest } from 'fastify';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { SubjectHash } from '../telemetry/subject-hash.ts';

/** Called when the token is there; the request's own line, `aborted`, was written when its client left. */
export type OnUndelivered = (request: FastifyRequest) => void;

/** Writes the second audit line of such a request, and counts it. */
export function reportUndelivered(logger: Logger, metrics: Metrics, subjectHash: SubjectHash): OnUndelivered {
  return ({ id, record }) => {
    const { client, subject, mint, upstreamRequestId } = record;
    if (client === null || mint === null) throw new TypeError('a mint has a client app');
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
      'minted for a client that had left',
    );
  };
}
