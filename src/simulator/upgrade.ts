// The opening of a WebSocket: journal entry, API version, faults and refusals, before the upgrade is accepted.

import { randomUUID } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Authentication, authenticate, type Requirement } from './credentials.ts';
import { faultAnswer } from './fault-answer.ts';
import type { UpgradeFault } from './faults.ts';
import { endWithClient, resetConnection } from './front-door.ts';
import { openEntry, versionHeader } from './http/exchange.ts';
import { type OpenEntry, splitTarget } from './journal.ts';
import { httpErrorBody, type Problem } from './problems.ts';
import { type ApiVersion, resolveVersion } from './version.ts';
import type { World } from './world.ts';

/** The faults that a socket carries out itself. */
export type SocketFault = Extract<
  UpgradeFault,
  { type: 'close_socket' | 'reset_socket' | 'hang_socket' | 'garbage_socket' | 'error_event' }
>;

export interface Upgrade {
  readonly world: World;
  readonly request: IncomingMessage;
  readonly path: string;
  readonly query: URLSearchParams;
  /** The query's version wins over the header's. */
  readonly version: ApiVersion;
  /** Goes into the response header `cartesia-request-id` and into events. */
  readonly requestId: string;
  /** Frames are added with `world.journal.frame(entry, …)`; the outcome with `world.journal.update`. */
  readonly entry: OpenEntry;
  readonly fault: SocketFault | null;
  /** Checks the credential in headers or query. */
  authenticate(requirement: Requirement): Authentication;
  /** Notes that the upgrade is accepted; from here on the socket reports how it ends. */
  accepted(): void;
  /** Responds to the upgrade with an HTTP error and closes the connection. */
  refuse(problem: Problem, headers?: Readonly<Record<string, string>>): void;
}

/**
 * Records an upgrade request and carries out the faults that act before it is accepted.
 * @returns null if a fault has ended the exchange
 */
export async function openUpgrade(world: World, request: IncomingMessage, socket: Duplex): Promise<Upgrade | null> {
  const { method = 'GET', url = '/', headers } = request;
  const [path, search] = splitTarget(url);
  const query = new URLSearchParams(search);
  const requestId = randomUUID();
  const version = resolveVersion(world.settings.versions, {
    header: versionHeader(request),
    query: query.get('cartesia_version'),
  });
  const entry = openEntry(world, request, { transport: 'websocket', requestId });
  socket.on('error', () => socket.destroy());
  const aborted = () => world.journal.update(entry, { outcome: 'aborted' });
  socket.once('close', aborted);
  const send = (status: number, fields: Readonly<Record<string, string | number>>, body: string) => {
    world.journal.update(entry, { status, outcome: 'completed' });
    socket.end(responseText(status, { ...fields, 'cartesia-request-id': requestId }, body));
  };
  const upgrade: Upgrade = {
    world,
    request,
    path,
    query,
    version,
    requestId,
    entry,
    fault: null,
    authenticate: (requirement) => authenticate(world, { headers, query }, requirement),
    accepted: () => {
      socket.off('close', aborted);
      world.journal.update(entry, { status: 101 });
    },
    refuse: (problem, headers = {}) => {
      const { contentType, body } = httpErrorBody(problem, { structured: version.structured, requestId });
      send(problem.status, { 'content-type': contentType, ...headers }, body);
    },
  };
  const fault = world.faults.takeForUpgrade({ method, path });
  if (fault === null) return upgrade;
  switch (fault.type) {
    case 'close_socket':
    case 'reset_socket':
    case 'hang_socket':
    case 'garbage_socket':
    case 'error_event':
      return { ...upgrade, fault };
    case 'delay':
      await new Promise((resolve) => setTimeout(resolve, fault.ms).unref());
      return socket.destroyed ? null : upgrade;
    case 'hang':
      endWithClient(socket);
      return null;
    case 'answer':
    case 'redirect': {
      const answer = faultAnswer(fault, { headers, structured: version.structured, requestId });
      if (answer !== null) send(answer.status, answer.headers, answer.body);
      return null;
    }
    case 'garbage':
      world.journal.update(entry, { outcome: 'faulted' });
      socket.write(typeof fault.bytes === 'string' ? Buffer.from(fault.bytes, 'latin1') : fault.bytes);
      if (fault.keepOpen) endWithClient(socket);
      else socket.end();
      return null;
    case 'half_close':
      world.journal.update(entry, { outcome: 'faulted' });
      socket.end(fault.at === 'inside_headers' ? 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso' : '');
      return null;
    case 'refuse':
    case 'reset':
      world.journal.update(entry, { outcome: 'faulted' });
      resetConnection(request.socket);
      return null;
    default:
      return fault satisfies never;
  }
}

function responseText(status: number, fields: Readonly<Record<string, string | number>>, body: string): string {
  const all = { ...fields, 'content-length': Buffer.byteLength(body), connection: 'close' };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${lines.join('')}\r\n${body}`;
}
