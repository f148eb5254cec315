// Cartesia's WebSockets, as far as the endpoint table has them: from an admitted upgrade to an open relay.
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Admission, admitted } from '../../admission/admitted.ts';
import type { ClientConfig, Config } from '../../config/config.ts';
import { toProblem } from '../../errors/from-fastify.ts';
import { sendProblem } from '../../errors/plugin.ts';
import { Problem } from '../../errors/problems.ts';
import { type SpentTokens, singleUseOf } from '../../identity/single-use.ts';
import { takeOver, type Upgrade, upgradeOf } from '../../listener/upgrade.ts';
import { checkContent } from '../../policy/content.ts';
import { allowsEndpoint } from '../../policy/endpoint.ts';
import { SOCKET_ENDPOINTS, type SocketEndpoint, type SocketKind, upstreamPath } from '../../upstream/endpoints.ts';
import type { KeyRing, RingKey } from '../../upstream/key-ring.ts';
import type { UpstreamEvent } from '../../upstream/upstream-event.ts';
import { resolveVersion } from '../../upstream/version.ts';
import { requestHeaders } from '../request-headers.ts';
import { passQuery } from '../target.ts';
import { type ErrorAnswer, problemOfAnswer } from '../upstream-error.ts';
import { CLOSE } from './close-code.ts';
import { acceptance, checkHandshake } from './handshake.ts';
import { LineProtocol } from './line-protocol.ts';
import { ManagedProtocol } from './managed-protocol.ts';
import type { ProtocolHost, SocketProtocol, SocketUsage } from './protocol.ts';
import { refuseWithEvent } from './refusal-event.ts';
import { Relay, type RelayAccount, type RelayEnd, type RelayOpening, type RelayParts } from './relay.ts';
import type { Relays } from './relays.ts';
import { OPEN_GUARD, type SessionGuard, type SessionGuards } from './session-guard.ts';
import type { SessionRules } from './session-rules.ts';
import { type Ledger, SocketAccount, type SocketFacts } from './socket-account.ts';
import { recordedBytesPerSecond, SttProtocol } from './stt-protocol.ts';
import { TtsProtocol } from './tts-protocol.ts';
import type { UpstreamConnector } from './upstream-socket.ts';

/** What sockets are carried with. */
export interface SocketCarrier {
  readonly connector: UpstreamConnector;
  readonly relays: Relays;
  readonly ring: KeyRing;
  readonly guards: SessionGuards;
  readonly spentTokens: SpentTokens;
  readonly onEvent: (event: UpstreamEvent) => void;
  /** Epoch milliseconds: credentials expire by it. */
  readonly now: () => number;
}

export interface SocketRoutesOptions {
  readonly upstream: Pick<Config['upstream'], 'version' | 'versionPolicy'>;
  readonly clients: readonly ClientConfig[];
  readonly browserRefusals: Config['sockets']['browserRefusals'];
  readonly carrier: SocketCarrier;
  readonly ledger: Ledger;
  readonly onProblem: (problem: Problem, request: FastifyRequest) => void;
}

/** Every row a route, in a scope that the admission hook guards. */
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
        if (!isTold) sendProblem(reply, problem);
      },
      handler: async (request, reply) => {
        const passage = await prepare(endpoint, request, options);
        const clientRules = rules.get(passage.admission.client.name);
        if (clientRules === undefined) throw new TypeError('rules are made for every client app');
        await open(passage, clientRules, request, reply, options);
        return reply;
      },
    });
  }
}

/** An upgrade that was found worth carrying. */
interface Passage {
  readonly endpoint: SocketEndpoint;
  readonly admission: Admission;
  readonly upgrade: Upgrade;
  /** The value of Sec-WebSocket-Accept. */
  readonly accept: string;
  readonly target: string;
  readonly version: string;
  readonly query: URLSearchParams;
}

async function prepare(
  endpoint: SocketEndpoint,
  request: FastifyRequest,
  options: SocketRoutesOptions,
): Promise<Passage> {
  const admission = admitted(request);
  const { client, principal } = admission;
  if (!allowsEndpoint(endpoint, client, principal.grants)) throw new Problem('endpoint_not_allowed');
  const accept = checkHandshake(request.raw);
  const upgrade = request.raw[upgradeOf];
  if (upgrade === undefined) throw new Problem('invalid_request', 'This path is a WebSocket.');
  if (options.carrier.relays.isDraining) throw new Problem('draining');

  const { id } = request.params as { readonly id?: string }; // the table knows no other parameter
  const path = upstreamPath(endpoint, id);
  if (path === null) throw new Problem('not_found');
  const url = request.raw.url ?? '';
  const mark = url.indexOf('?');
  const passed = passQuery(mark === -1 ? '' : url.slice(mark + 1));
  const header = request.headers['cartesia-version'];
  const version = resolveVersion(passed.version ?? (Array.isArray(header) ? header.join(', ') : header), {
    version: options.upstream.version,
    policy: options.upstream.versionPolicy,
  });
  if ('invalid' in version) throw new Problem('invalid_version');
  const query = new URLSearchParams(passed.text);
  checkPolicy(endpoint, client, id, query);

  // Last, so that a refusal for another reason does not cost the caller its token.
  const singleUse = singleUseOf(principal);
  if (singleUse !== null && !(await options.carrier.spentTokens.spend(singleUse))) {
    request.record.reason = 'single_use_spent';
    throw new Problem('unauthenticated');
  }
  return { endpoint, admission, upgrade, accept, target: path + passed.text, version: version.version, query };
}

/** What the target alone tells; messages are judged as they come. */
function checkPolicy(
  endpoint: SocketEndpoint,
  client: ClientConfig,
  id: string | undefined,
  query: URLSearchParams,
): void {
  const { content } = client;
  if (endpoint.grant === 'agent') {
    if (content.agents !== null && (id === undefined || !content.agents.includes(id))) {
      throw new Problem('content_not_allowed', 'This caller may not use this agent.');
    }
    return;
  }
  if (endpoint.grant !== 'stt') return;
  const decision = checkContent(
    {
      model: only(query, 'model'),
      voice: null,
      language: only(query, 'language'),
      container: null,
      encoding: null,
      transcript: null,
    },
    content,
  );
  if (decision.outcome === 'denied') throw new Problem('content_not_allowed', decision.message);
}

/** @throws Problem where the parameter stands twice, or in another spelling: which one counts would be a guess */
function only(query: URLSearchParams, name: string): string | null {
  let value: string | null = null;
  for (const [key, one] of query) {
    if (key.toLowerCase() !== name) continue;
    if (key !== name || value !== null) throw new Problem('invalid_request', `The query must name "${name}" once.`);
    value = one;
  }
  return value;
}

/** Resolves when the socket is open, or the client has gone. @throws Problem when it does not open */
async function open(
  passage: Passage,
  rules: SessionRules,
  request: FastifyRequest,
  reply: FastifyReply,
  options: SocketRoutesOptions,
): Promise<void> {
  const { upgrade, admission, endpoint } = passage;
  const { carrier } = options;
  const key = carrier.ring.pick();
  if (key === null) throw new Problem('internal_error', undefined, { cause: new Error('no API key') });
  const session = new Session(carrier.relays, options.ledger, factsOf(passage, request));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const startedMs = carrier.relays.touch();
  const opening: RelayOpening = {
    accepted(upstreamRequestId) {
      carrier.ring.accepted(key);
      const upstreamId =
        upstreamRequestId === null || carrier.ring.isRevealedBy(upstreamRequestId) ? null : upstreamRequestId;
      request.record.upstreamMs = carrier.relays.touch() - startedMs;
      request.record.upstreamRequestId = upstreamId;
      session.opened();
      reply.hijack();
      takeOver(request.raw, reply.raw);
      resolve();
      return acceptance(passage.accept, request.id, upstreamId);
    },
    refused(reason) {
      session.guard.end();
      request.record.upstreamMs = carrier.relays.touch() - startedMs;
      if (reason === null) {
        reply.hijack(); // nobody is left to be answered
        resolve();
      } else reject(reason instanceof Problem ? reason : refusal(carrier, key, reason));
    },
  };
  // Before the wait for a turn: a client that leaves meanwhile is noticed.
  const relay = new Relay(relayParts(passage, rules, session, request.id, options), opening, upgrade.head);
  session.begin(relay);
  const { principal } = admission;
  try {
    const guard = await carrier.guards.open({ principal, endpoint, requestId: request.id, cut: session.cut });
    if (relay.isOver) guard.end();
    else session.guard = guard;
  } catch (error) {
    relay.refuse(toProblem(error));
  }
  if (!relay.isOver) {
    const headers = requestHeaders(request.headers, null);
    key.sign(headers, passage.version);
    relay.open((owner) => carrier.connector.connect(passage.target, headers, owner));
  }
  await promise;
}

/**
 * What a socket leaves behind when its request is done: texts and functions of its own, because whatever holds the request would keep
 * it, with all its headers, for as long as the socket is open.
 */
class Session implements RelayAccount {
  guard: SessionGuard = OPEN_GUARD;
  /** For good: readers get their errors, then the socket is closed. */
  readonly cut: (problem: Problem) => void;
  readonly #relays: Relays;
  readonly #ledger: Ledger;
  readonly #facts: SocketFacts;
  #relay: Relay | null = null;
  #account: SocketAccount | null = null;

  constructor(relays: Relays, ledger: Ledger, facts: SocketFacts) {
    this.#relays = relays;
    this.#ledger = ledger;
    this.#facts = facts;
    this.cut = (problem) => this.#relay?.cut(problem, CLOSE.policy);
  }

  begin(relay: Relay): void {
    this.#relay = relay;
    this.#relays.add(relay);
  }

  opened(): void {
    this.#account = new SocketAccount(this.#ledger, this.#facts, this.guard);
  }

  used(usage: Readonly<SocketUsage>): void {
    this.#account?.used(usage);
  }

  ended(end: RelayEnd): void {
    this.#account?.ended(end);
  }

  gone(): void {
    if (this.#relay !== null) this.#relays.delete(this.#relay);
  }
}

function relayParts(
  { endpoint, admission, upgrade, query }: Passage,
  rules: SessionRules,
  session: Session,
  requestId: string,
  { carrier }: SocketRoutesOptions,
): RelayParts {
  const { relays, ring } = carrier;
  const { sockets } = admission.client;
  const nowMs = relays.touch();
  const { expiresAt } = admission.principal;
  const endsWithToken = sockets.endWithToken && expiresAt !== null && singleUseOf(admission.principal) === null;
  const audio = recordedBytesPerSecond(query.get('encoding'), query.get('sample_rate'));
  return {
    client: upgrade.socket,
    times: relays.times,
    clock: relays,
    requestId,
    endsAtMs: nowMs + sockets.maxDurationMs,
    expiresAtMs: endsWithToken ? nowMs + expiresAt * 1000 - carrier.now() : Number.POSITIVE_INFINITY,
    idleMs: Math.min(endpoint.idleMs, sockets.idleMs ?? Number.POSITIVE_INFINITY),
    pingsCount: endpoint.pingsCount,
    makeProtocol: protocolOf(endpoint.kind, rules, session, audio),
    isRevealing: ring.isRevealedBy,
    account: session,
  };
}

function protocolOf(
  kind: SocketKind,
  rules: SessionRules,
  session: Session,
  recordedRate: number | null,
): (host: ProtocolHost) => SocketProtocol {
  switch (kind) {
    case 'tts':
      return (host) => new TtsProtocol(host, rules, session.guard);
    case 'stt':
    case 'stt_turns':
      return (host) => new SttProtocol(host, recordedRate);
    case 'agent_line':
      return (host) => new LineProtocol(host, rules.agentOverrides);
    case 'agent_managed':
      return (host) => new ManagedProtocol(host, rules.agentOverrides);
  }
}

function refusal({ ring, onEvent }: SocketCarrier, key: RingKey, answer: ErrorAnswer): Problem {
  const { problem, isKeyRefused } = problemOfAnswer(answer, { isRevealing: ring.isRevealedBy, nowMs: Date.now() });
  if (isKeyRefused) {
    ring.refused(key);
    onEvent({ type: 'key_rejected', position: key.position, status: answer.status, keysWorking: ring.working });
  }
  return problem;
}

function factsOf({ endpoint, admission }: Passage, request: FastifyRequest): SocketFacts {
  return {
    requestId: request.id,
    client: admission.principal.client,
    subject: admission.principal.subject,
    endpoint: endpoint.path,
  };
}

function rulesOf({ content, sockets }: ClientConfig): SessionRules {
  return {
    content,
    maxContexts: sockets.maxContexts,
    maxSessionCharacters: sockets.maxCharacters,
    agentOverrides: new Set(content.agentOverrides),
  };
}
