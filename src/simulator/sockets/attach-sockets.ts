// Accepts WebSocket upgrades and hands each to its endpoint.

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { pathMatcher } from '../http/router.ts';
import { problem } from '../problems.ts';
import { openUpgrade, type Upgrade } from '../upgrade.ts';
import type { World } from '../world.ts';
import { agentLineEndpoint } from './agent-line-socket.ts';
import { agentManagedEndpoint } from './agent-managed-socket.ts';
import type { SocketEndpoint } from './endpoint.ts';
import { SocketSession } from './session.ts';
import { sttEndpoint } from './stt-socket.ts';
import { sttTurnsEndpoint } from './stt-turns-socket.ts';
import { ttsEndpoint } from './tts-socket.ts';

const ENDPOINTS: readonly SocketEndpoint[] = [
  ttsEndpoint,
  sttEndpoint,
  sttTurnsEndpoint,
  agentLineEndpoint,
  agentManagedEndpoint,
];

/** Told to a client whose handshake is faulty. @see RFC 6455 §4.4 */
const SPOKEN_VERSIONS = { 'sec-websocket-version': '13, 8' };

/** Whether a request wants to become a WebSocket; one that wants to become anything else is an ordinary request (RFC 9110 §7.8). */
export function asksForWebSocket({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Serves the API's WebSockets on an HTTP server. Never negotiates compression or subprotocols. */
export function attachSockets(server: Server, world: World): void {
  const endpoints = ENDPOINTS.map((endpoint) => ({ endpoint, match: pathMatcher(endpoint.path) }));
  const acceptor = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: () => false,
  });
  const upgrades = new WeakMap<IncomingMessage, Upgrade>();
  acceptor.on('headers', (headers, request) => {
    headers.push(`cartesia-request-id: ${upgrades.get(request)?.requestId}`);
  });
  acceptor.on('wsClientError', ({ message }, _socket, request) => {
    upgrades.get(request)?.refuse(problem(world.settings, 'invalid_request', { message }), SPOKEN_VERSIONS);
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    admit(request, socket, head).catch(() => socket.destroy());
  });

  async function admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const upgrade = await openUpgrade(world, request, socket);
    if (upgrade === null) return;
    for (const { endpoint, match } of endpoints) {
      const params = match(upgrade.path);
      if (params === null) continue;
      upgrades.set(request, upgrade);
      return endpoint.open({ upgrade, params, accept: (opened) => accept(upgrade, socket, head, opened) });
    }
    upgrade.refuse(problem(world.settings, 'not_found', { message: 'There is no such endpoint.' }));
  }

  function accept(upgrade: Upgrade, socket: Duplex, head: Buffer, opened: (session: SocketSession) => void): void {
    acceptor.options.maxPayload = world.settings.sizes.messageBytes;
    acceptor.handleUpgrade(upgrade.request, socket, head, (webSocket: WebSocket) => {
      upgrade.accepted();
      opened(new SocketSession(webSocket, upgrade));
    });
  }
}
