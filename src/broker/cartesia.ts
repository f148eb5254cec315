// Everything that talks to Cartesia: the key ring that all of it uses, the client that mints tokens, and what carries traffic.
import { type Carrier, createCarrier } from '../proxy/carrier.ts';
import { createLimitedSessions } from '../proxy/websocket/limited-sessions.ts';
import { Relays } from '../proxy/websocket/relays.ts';
import type { SocketCarrier } from '../proxy/websocket/socket-routes.ts';
import { createSpentTokens } from '../proxy/websocket/spent-tokens.ts';
import { createUpstreamConnector } from '../proxy/websocket/upstream-socket.ts';
import { createTransport } from '../upstream/create-transport.ts';
import { createKeyAlarm, type SharedKeys } from '../upstream/key-alarm.ts';
import { createKeyRing, type KeyRing } from '../upstream/key-ring.ts';
import { observeUpstream } from '../upstream/observe-upstream.ts';
import { createTokenClient, type TokenClient } from '../upstream/token-client.ts';
import { openTrust, type Trust } from '../upstream/trust.ts';
import type { Basics } from './basics.ts';
import type { SharedState } from './shared-state.ts';

export interface Cartesia {
  readonly ring: KeyRing;
  readonly tokenClient: TokenClient;
  /** `null`: no traffic is carried. */
  readonly carriers: Carriers | null;
}

export interface Carriers {
  readonly http: Carrier;
  readonly sockets: SocketCarrier;
}

/** A bound above what any Cartesia plan runs at once. */
const CARRIED_CONNECTIONS_MAX = 1024;
const CONNECT_TIMEOUT_MS = 3000;

/** Opens no connection. Rejects if the authorities to trust for Cartesia cannot be read. */
export async function openCartesia(basics: Basics, state: SharedState): Promise<Cartesia> {
  const { config, logger, metrics, files, closing } = basics;
  const { upstream } = config;
  const onEvent = observeUpstream(logger, metrics);
  const ring = createKeyRing(upstream.apiKeys, { now: monotonic });
  const keys: SharedKeys = { ring, keyRefused: createKeyAlarm(ring, onEvent) };
  const trust = await openTrust(upstream.caFile, files.pemWatching('upstream'));
  files.add(trust);
  const tokenClient = createTokenClient(upstream, { keys, trust, onEvent });
  closing.add(() => tokenClient.close());
  metrics.readBreaker(() => tokenClient.health.breaker);
  const carriers = config.proxy ? await openCarriers(basics, state, keys, trust) : null;
  return { ring, tokenClient, carriers };
}

async function openCarriers(
  { config: { upstream }, seams, now, readiness, closing }: Basics,
  { store, limits }: SharedState,
  keys: SharedKeys,
  trust: Trust,
): Promise<Carriers> {
  const transport = await createTransport(upstream.transport, {
    upstream: { ...upstream, connections: CARRIED_CONNECTIONS_MAX },
    trust,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  });
  const http = createCarrier({
    ...keys,
    transport,
    now: monotonic,
    isDraining: () => readiness.state === 'draining',
    ...(seams.carrying === undefined ? {} : { clocks: seams.carrying }),
  });
  closing.add(() => http.close());
  const sockets: SocketCarrier = {
    ...keys,
    connector: createUpstreamConnector(upstream, trust, seams.socketHandshakeMs),
    relays: new Relays(seams.relays),
    guards: seams.guards ?? createLimitedSessions(limits),
    spentTokens: createSpentTokens(store),
    now,
  };
  return { http, sockets };
}

const monotonic = (): number => performance.now();
