// Registers the routes for Cartesia's WebSockets and takes an admitted upgrade to an open relay.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ClientConfig, Config } from '../../config/config.ts';
import { toProblem } from '../../errors/from-fastify.ts';
import { sendProblem } from '../../errors/plugin.ts';
import { Problem } from '../../errors/problems.ts';
import { singleUseOf } from '../../identity/single-use.ts';
import { takeOver } from '../../listener/upgrade.ts';
import { traceIdOf } from '../../telemetry/trace-id.ts';
import { SOCKET_ENDPOINTS } from '../../upstream/endpoints.ts';
import type { KeyAlarm } from '../../upstream/key-alarm.ts';
import type { KeyRing } from '../../upstream/key-ring.ts';
import { requestHeaders } from '../request-headers.ts';
import { type ErrorAnswer, problemOfAnswer } from '../upstream-error.ts';
import { type CheckedUpgrade, checkUpgrade } from './opening/checked-upgrade.ts';
import { acceptance, SPOKEN_VERSION, speaksOurVersion } from './opening/handshake.ts';
import { refuseWithEvent } from './opening/refusal-event.ts';
import { protocolOf } from './protocols/protocols.ts';
import { Relay } from './relay.ts';
import type { RelayOpening, RelayParts } from './relay-parts.ts';
import type { Relays } from './relays.ts';
import type { SessionGuards } from './session-guard.ts';
import { rulesOf, type SessionRules } from './session-rules.ts';
import type { SocketFacts, SocketTelemetry } from './socket-account.ts';
import { SocketSession } from './socket-session.ts';
import type { SpentTokens } from './spent-tokens.ts';
import type { UpstreamConnector } from './upstream-socket.ts';

/** What sockets are carried with. */
export interface SocketCarrier {
  readonly connector: UpstreamConnector;
  readonly relays: Relays;
  readonly ring: KeyRing;
  readonly guards: SessionGuards;
  readonly spentTokens: SpentTokens;
  readonly keyRefused: KeyAlarm;
  /** Epoch milliseconds, for the expiry of credentials. */
  readonly now: () => number;
}

export interface SocketRoutesOptions {
  readonly upstream: Pick<Config['upstream'], 'version' | 'versionPolicy'>;
  readonly limits: Pick<Config['limits'], 'quota'>;
  readonly clients: readonly ClientConfig[];
  readonly browserRefusals: Config['sockets']['browserRefusals'];
  readonly carrier: SocketCarrier;
  readonly telemetry: SocketTelemetry;
  readonly onProblem: (problem: Problem, request: FastifyRequest) => void;
}

/** One route per row of the endpoint table, in a scope that the admission hook guards. */
export async function socketRoutes(app: FastifyInstance, options: SocketRoutesOptions): Promise<void> {
  const rules = new Map(options.clients.map((client) => [client.name, rulesOf(client)]));
  for (const endpoint of SOCKET_ENDPOINTS) {
    app.route({
      method: 'GET',
      url: endpoint.path,
      schema: { operationId: `open_${endpoint.kind}_socket`, summary: endpoint.summary, tags: ['carried'] },
      errorHandler: (error: FastifyError, request, reply) => {
        const problem = toProblem(error);
        options.onProblem(problem, request);
        const isTold = options.browserRefusals === 'event' && refuseWithEvent(request, reply, endpoint.kind, problem);
        if (isTold) return;
        // A client with another version is told which one is spoken here (RFC 6455 §4.4).
        if (!speaksOurVersion(request.headers)) reply.headers(SPOKEN_VERSION);
        sendProblem(reply, problem);
      },
      handler: async (request, reply) => {
        const { upstream, carrier, limits } = options;
        const { quota } = limits;
        const { spentTokens } = carrier;
        const checked = await checkUpgrade(endpoint, request, { upstream, quota, spentTokens });
        const clientRules = rules.get(checked.admission.client.name);
        if (clientRules === undefined) throw new TypeError('rules are made for every client app');
        try {
          await open(checked, clientRules, request, reply, options);
        } catch (error) {
          await giveTokenBack(spentTokens, checked, request, toProblem(error as FastifyError));
          throw error;
        }
        return reply;
      },
    });
  }
}

/** Gives a single-use token back if the caller is told to try again. */
async function giveTokenBack(
  spentTokens: SpentTokens,
  { admission }: CheckedUpgrade,
  { id }: FastifyRequest,
  { isRetryable }: Problem,
): Promise<void> {
  const singleUse = singleUseOf(admission.principal);
  if (isRetryable && singleUse !== null) await spentTokens.giveBack(singleUse, id);
}

/** Resolves when the socket is open or the client has gone. @throws Problem if it does not open */
async function open(
  checked: CheckedUpgrade,
  rules: SessionRules,
  request: FastifyRequest,
  reply: FastifyReply,
  options: SocketRoutesOptions,
): Promise<void> {
  const { upgrade, admission, endpoint } = checked;
  const { carrier } = options;
  // Nothing is awaited between this and the relay's entry in the list, so neither the client's end nor a shutdown can be missed.
  if (upgrade.socket.destroyed) return void reply.hijack();
  if (carrier.relays.isDraining) throw new Problem('draining');
  const session = new SocketSession(carrier.relays, options.telemetry, factsOf(checked, request));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  /** When Cartesia was asked; `null` = not yet. Waiting for a lease is not part of its time. */
  let askedAtMs: number | null = null;
  const noteUpstreamMs = (): void => {
    if (askedAtMs !== null) request.record.upstreamMs = carrier.relays.touch() - askedAtMs;
  };
  const opening: RelayOpening = {
    accepted(upstreamRequestId) {
      if (session.key !== null) carrier.ring.accepted(session.key);
      const upstreamId =
        upstreamRequestId === null || carrier.ring.isRevealedBy(upstreamRequestId) ? null : upstreamRequestId;
      noteUpstreamMs();
      request.record.upstreamRequestId = upstreamId;
      session.opened();
      reply.hijack();
      takeOver(request.raw, reply.raw);
      resolve();
      return acceptance(checked.accept, request.id, upstreamId);
    },
    refused(reason) {
      const isAnswered = reason !== null && !(reason instanceof Problem);
      if (isAnswered && reason.status === 429) session.guard.refused();
      session.guard.end(isAnswered);
      noteUpstreamMs();
      if (reason === null) {
        reply.hijack(); // the client is gone
        resolve();
      } else reject(reason instanceof Problem ? reason : refusal(carrier, session.key, reason));
    },
  };
  // Made before the wait for a lease, so that a client that leaves in the meantime is noticed.
  const relay = new Relay(relayParts(checked, rules, session, request.id, options), opening, upgrade.head);
  session.begin(relay);
  const { principal } = admission;
  const connectOnceGuarded = async (): Promise<void> => {
    const facts = { principal, endpoint, requestId: request.id, cut: session.cut };
    const guard = await carrier.guards.open(facts, (listener) => session.whenGone(listener));
    if (relay.isOver) {
      guard.end(true); // upstream was not asked
      return;
    }
    session.guardedBy(guard);
    // Not before the wait for a lease, during which keys may be replaced or set aside.
    const key = carrier.ring.pick();
    if (key === null) throw new TypeError('no API key');
    session.key = key;
    const headers = requestHeaders(request.headers, null);
    key.sign(headers, checked.version);
    askedAtMs = carrier.relays.touch();
    relay.open((owner) => carrier.connector.connect(checked.target, headers, owner));
  };
  // Not awaited: a shutdown may refuse the socket while it waits for a lease.
  connectOnceGuarded().catch((error) => relay.refuse(toProblem(error)));
  await promise;
}

function relayParts(
  { endpoint, admission, upgrade, recordedRate }: CheckedUpgrade,
  rules: SessionRules,
  session: SocketSession,
  requestId: string,
  { carrier }: SocketRoutesOptions,
): RelayParts {
  const { relays, ring } = carrier;
  const { sockets } = admission.client;
  const nowMs = relays.touch();
  const { expiresAt } = admission.principal;
  const endsWithToken = sockets.endWithToken && expiresAt !== null && singleUseOf(admission.principal) === null;
  return {
    client: upgrade.socket,
    times: relays.times,
    clock: relays,
    requestId,
    endsAtMs: nowMs + sockets.maxDurationMs,
    expiresAtMs: endsWithToken ? nowMs + expiresAt * 1000 - carrier.now() : Number.POSITIVE_INFINITY,
    idleMs: Math.min(endpoint.idleMs, sockets.idleMs ?? Number.POSITIVE_INFINITY),
    signOfLife: endpoint.signOfLife,
    makeProtocol: protocolOf(endpoint.kind, rules, session, recordedRate),
    isRevealing: ring.isRevealedBy,
    keyRefused(status) {
      if (session.key !== null) carrier.keyRefused(session.key, status);
    },
    account: session,
  };
}

function refusal({ ring, keyRefused }: SocketCarrier, key: SocketSession['key'], answer: ErrorAnswer): Problem {
  const { problem, isKeyRefused } = problemOfAnswer(answer, { isRevealing: ring.isRevealedBy, nowMs: Date.now() });
  if (isKeyRefused && key !== null) keyRefused(key, answer.status);
  return problem;
}

function factsOf({ endpoint, admission }: CheckedUpgrade, request: FastifyRequest): SocketFacts {
  return {
    requestId: request.id,
    traceId: traceIdOf(request.headers),
    client: admission.principal.client,
    subject: admission.principal.subject,
    endpoint: endpoint.path,
  };
}
