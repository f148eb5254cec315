// Tokens that were made for callers who had left: nobody has them, and yet they count at Cartesia and open what they open.
import type { FastifyRequest } from 'fastify';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { SubjectHash } from '../telemetry/subject-hash.ts';

/** Told when the token is there; the request's own line, `aborted`, was written when its client left. */
export type OnUndelivered = (request: FastifyRequest) => void;

/** The second audit line of such a request, and its count. */
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
