// The one pipeline in front of every endpoint that is not public: it checks the caller's identity, origin and rate.
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import type { Config } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';
import type { Identification, Identity, RequestFacts } from '../identity/chain.ts';
import { singleUseOf } from '../identity/single-use.ts';
import { addressLimiter, type RateLimiter, type RateVerdict } from '../limits/rate-limits.ts';
import type { Revocations } from '../limits/revocations.ts';
import { queryOf } from '../listener/request-target.ts';
import { upgradeOf } from '../listener/upgrade.ts';
import type { RateStore } from '../store/rates.ts';
import { requireHttps } from './https.ts';
import { checkOrigin } from './origin.ts';
import { subjectLimiters } from './subject-limits.ts';

/**
 * What callers are admitted to. Only minting is under the mint rates: they limit how often tokens are handed out, not how much a caller may
 * speak. And only minting is open to anonymous callers, whom nothing but those rates limits: for all else they need a token.
 */
export type Purpose = 'mint' | 'carry';

export interface AdmissionOptions {
  readonly config: Pick<Config, 'clients' | 'limits' | 'listen'>;
  readonly identity: Identity;
  readonly revocations: Revocations;
  /** Where replicas count rates together; `null` = this replica counts alone. */
  readonly rates: RateStore | null;
  readonly purpose: Purpose;
  /** The broker's own origin. */
  readonly ownOrigin: () => string;
}

/**
 * @returns a hook for the scope that it guards; it throws a Problem for everything that it refuses
 */
export function createAdmission(app: FastifyInstance, options: AdmissionOptions) {
  const { config, identity, purpose } = options;
  const clients = new Map(config.clients.map((client) => [client.name, client]));
  const addressRate = purpose === 'mint' ? config.limits.mintPerAddress : null;
  const byAddress = addressRate === null ? null : addressLimiter(app, addressRate, options.rates);
  const bySubject = subjectLimiters(app, purpose === 'mint' ? config.clients : [], options.rates);

  function admit(request: FastifyRequest, reply: FastifyReply): Waiting {
    if (config.listen.requireHttps) requireHttps(request);
    // Before the credential is checked, so that every guess counts against the rate.
    if (byAddress === null) return identify(request, reply);
    return take(byAddress, 'rate_of_address', request, reply).then(() => identify(request, reply));
  }

  function identify(request: FastifyRequest, reply: FastifyReply): Waiting {
    const answer = identity.authenticate(factsOf(request));
    if (answer instanceof Promise) return answer.then((late) => judge(late, request, reply));
    return judge(answer, request, reply);
  }

  function judge(authentication: Identification, request: FastifyRequest, reply: FastifyReply): Waiting {
    const { record } = request;
    if (authentication.outcome !== 'authenticated') {
      record.reason = authentication.reason;
      throw refusal(authentication);
    }
    const { principal } = authentication;
    if (principal.method === 'anonymous' && purpose !== 'mint') {
      record.reason = 'anonymous';
      throw new Problem('unauthenticated');
    }
    const client = clients.get(principal.client);
    if (client === undefined)
      throw new Problem('internal_error', undefined, { cause: new Error('a principal of no client app') });
    record.client = principal.client;
    record.subject = principal.subject;
    record.method = principal.method;

    const isUpgrade = request.raw[upgradeOf] !== undefined;
    if (singleUseOf(principal) !== null && !isUpgrade) {
      throw new Problem('endpoint_not_allowed', 'A single-use token opens one WebSocket and nothing else.');
    }
    options.revocations.check(principal);
    const { origin } = request.headers;
    // The WebSockets of React Native, SocketRocket, Starscream and Python's websocket-client send the address they connect to as their
    // origin. It is not compared with Host, which a page can choose by rebinding its own name to our address.
    if (origin !== undefined) checkOrigin(origin, client, isUpgrade ? options.ownOrigin() : null);
    request.admission = { principal, client };
    const limiter = bySubject.get(client.name);
    return limiter === undefined ? null : take(limiter, 'rate_of_subject', request, reply);
  }

  return (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void => {
    const waiting = admit(request, reply);
    if (waiting === null) done();
    else
      waiting.then(() => {
        // A client that has gone in the meantime is not let in: whatever its request began would never hear that it has gone.
        if (!reply.raw.destroyed) done();
      }, done);
  };
}

/** `null` = there is nothing to wait for, as for every carried request of a caller that is already known. */
type Waiting = Promise<unknown> | null;

/** @param which what the log calls this rate */
async function take(
  limiter: RateLimiter,
  which: 'rate_of_address' | 'rate_of_subject',
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const verdict = await limiter.check(request);
  sayLimit(reply, verdict);
  if (!verdict.exceeded) return;
  request.record.reason = which;
  throw new Problem('rate_limited', undefined, { retryAfterSeconds: verdict.resetSeconds });
}

/** Sets `RateLimit-*`. The last check wins: by address until the caller is known, by subject after. */
function sayLimit(reply: FastifyReply, verdict: RateVerdict): void {
  reply.header('ratelimit-limit', verdict.limit);
  reply.header('ratelimit-remaining', verdict.remaining);
  reply.header('ratelimit-reset', verdict.resetSeconds);
}

function factsOf(request: FastifyRequest): RequestFacts {
  const { raw } = request;
  const isUpgrade = raw[upgradeOf] !== undefined;
  return {
    headers: raw.headers,
    rawHeaders: raw.rawHeaders,
    query: queryOf(raw.url ?? ''),
    isUpgrade,
    connection: isUpgrade ? null : raw.socket,
  };
}

/** For a credential that cannot be checked now. It may well be good, so the caller is not told that it is bad. */
const ISSUER_RETRY_SECONDS = 5;

function refusal(refused: Exclude<Identification, { outcome: 'authenticated' }>): Problem {
  if (refused.outcome === 'refused') return new Problem(refused.code, refused.message);
  return new Problem(
    'overloaded',
    'The identity provider cannot be reached, so this credential cannot be checked now.',
    {
      retryAfterSeconds: ISSUER_RETRY_SECONDS,
    },
  );
}
