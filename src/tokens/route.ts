// POST /access-token: mints a token for an admitted request.
import type { FastifyInstance } from 'fastify';
import { admitted } from '../admission/admitted.ts';
import type { Config, Delivery } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';
import { SINGLE_USE_MAX_SECONDS } from '../identity/single-use.ts';
import type { Quotas } from '../limits/quotas.ts';
import type { Revocations } from '../limits/revocations.ts';
import { mentionsBody } from '../listener/framing.ts';
import { decide } from '../policy/policy.ts';
import { resolveVersion } from '../upstream/version.ts';
import { AccessTokenSchema, accessTokenAnswer, type Destination, secondsLeft } from './access-token.ts';
import { MintRequestSchema, readMintRequest } from './mint-request.ts';
import type { Minted, Minter, MintOrder } from './minter.ts';
import type { OnUndelivered } from './undelivered.ts';

export interface MintRouteOptions {
  readonly upstream: Pick<Config['upstream'], 'version' | 'versionPolicy'>;
  /** A minter for every delivery that some client app uses. */
  readonly minters: ReadonlyMap<Delivery, Minter>;
  readonly quotas: Quotas;
  readonly revocations: Pick<Revocations, 'checkAgain' | 'refusalOf'>;
  readonly onUndelivered: OnUndelivered;
  /** Called per request: the broker's own address may be known only once it listens. */
  readonly destination: (delivery: Delivery) => Destination;
}

/** A mint request is a few flags and a number. */
const BODY_MAX_BYTES = 16 * 1024;

export async function mintRoute(app: FastifyInstance, options: MintRouteOptions): Promise<void> {
  const { upstream, minters, revocations } = options;

  app.post(
    '/access-token',
    {
      bodyLimit: BODY_MAX_BYTES,
      schema: {
        operationId: 'mintAccessToken',
        summary: 'Mint an access token',
        description:
          'The path and the body are the same as at Cartesia, so `new Cartesia({ apiKey: <your credential>, baseURL: <the broker> }).accessToken.create({ … })` works.',
        tags: ['tokens'],
        body: MintRequestSchema,
        response: { 200: AccessTokenSchema },
      },
    },
    async (request, reply) => {
      const { principal, client } = admitted(request);
      // As at Cartesia: an access token opens endpoints but cannot mint further tokens.
      if (principal.method === 'access_token')
        throw new Problem('endpoint_not_allowed', 'An access token cannot mint access tokens.');

      // Without a body the defaults apply. A body that is announced but empty is a mistake: 400.
      const wish = mentionsBody(request) ? readMintRequest(request.body) : {};
      const version = resolveVersion(headerOf(request.headers['cartesia-version']), {
        version: upstream.version,
        policy: upstream.versionPolicy,
      });
      if ('invalid' in version) throw new Problem('invalid_version');

      const decision = decide(wish, client, principal.grants);
      if (decision.outcome === 'deny') throw new Problem(decision.code, decision.message);

      const minter = minters.get(client.delivery);
      if (minter === undefined) throw new TypeError(`no minter for delivery ${client.delivery}`);
      const isSingleUse = wish.isSingleUse === true;
      if (isSingleUse && client.delivery !== 'proxied') {
        throw new Problem(
          'invalid_request',
          'The field "single_use" needs delivery proxied: Cartesia has no such tokens.',
        );
      }
      const { grants } = decision;
      const lifetimeSeconds = isSingleUse
        ? Math.min(decision.expiresInSeconds, SINGLE_USE_MAX_SECONDS)
        : decision.expiresInSeconds;
      const checkAgain = (): void => {
        revocations.checkAgain(principal);
        if (reply.raw.destroyed) throw new Problem('invalid_request', 'The client has left.');
      };
      checkAgain(); // the body may have been long in arriving
      const order = { principal, grants, lifetimeSeconds, isSingleUse, version: version.version };
      const minted = await (minter.recall(order) ?? mintBooked(minter, order, options.quotas, checkAgain));

      const nowMs = Date.now();
      const { record } = request;
      record.upstreamMs = minted.upstreamMs;
      record.upstreamRequestId = minted.upstreamRequestId;
      const mint = { grants, expiresIn: secondsLeft(minted, nowMs), delivery: client.delivery };
      // Or while Cartesia was minting: a token cannot be taken back once it is handed out.
      if (reply.raw.destroyed || revocations.refusalOf(principal) !== null) {
        reportUnlessTaken(minted, () => options.onUndelivered(request, mint));
        revocations.checkAgain(principal);
      } else {
        record.mint = { ...mint, reused: minted.audit.isReported };
        minted.audit.isReported = true;
      }
      reply.header('cache-control', 'no-store').header('referrer-policy', 'no-referrer');
      if (minted.upstreamRequestId !== null) reply.header('cartesia-request-id', minted.upstreamRequestId);
      return accessTokenAnswer(minted, grants, options.destination(client.delivery), version.version, nowMs);
    },
  );
}

/** Requests that waited for the same token get theirs in this turn. The first that can hand it out reports it. */
function reportUnlessTaken({ isReused, audit }: Minted, report: () => void): void {
  if (isReused) return;
  setImmediate(() => {
    if (audit.isReported) return;
    audit.isReported = true;
    report();
  });
}

/** A new token counts against the budget of mints; one that was already being minted for the same subject does not. */
async function mintBooked(minter: Minter, order: MintOrder, quotas: Quotas, checkAgain: () => void): Promise<Minted> {
  const { principal } = order;
  const booking = quotas.isLimited('mints', principal.client) ? await quotas.book('mints', principal, 1) : null;
  try {
    if (booking !== null) checkAgain(); // so may the store's answer
    const minted = await minter.mint(order);
    if (minted.isReused) booking?.settle(0);
    return minted;
  } catch (error) {
    booking?.settle(0);
    throw error;
  }
}

function headerOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}
