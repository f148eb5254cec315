// Upgrades to WebSocket on their way through the application: an ordinary request with an ordinary response, until somebody takes the
// connection over.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { endConnection } from './end-connection.ts';
import { forgetTurns } from './turns.ts';

/** The connection of an upgrade, and what has already come behind the request. */
export interface Upgrade {
  readonly socket: Socket;
  readonly head: Buffer;
}

/** On a request that asks for a WebSocket. */
export const upgradeOf: unique symbol = Symbol('upgrade');

declare module 'node:http' {
  interface IncomingMessage {
    [upgradeOf]?: Upgrade;
  }
}

/** Other protocols, `h2c` above all, are not offered: such a request is answered as if it had not asked (RFC 9110 §7.8). */
export function asksForWebSocket(request: Pick<IncomingMessage, 'headers' | 'method'>): boolean {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket';
}

/** The parser has let go of the connection; what is answered on it is its last answer. */
export function responseTo(request: IncomingMessage, upgrade: Upgrade): ServerResponse {
  request[upgradeOf] = upgrade;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  return response;
}

/** To be called when it is the upgrade's turn: an earlier answer may still be on its way until then. */
export function beginAnswer(request: IncomingMessage, response: ServerResponse): void {
  const upgrade = request[upgradeOf];
  if (upgrade === undefined) return;
  const { socket } = upgrade;
  response.assignSocket(socket);
  response.once('finish', () => endConnection(socket));
}

/**
 * The connection is no longer HTTP's: what is written from now on goes to the socket. The response closes, which is when its line is
 * logged.
 */
export function takeOver(request: IncomingMessage, response: ServerResponse): void {
  const upgrade = request[upgradeOf];
  if (upgrade === undefined) throw new TypeError('not an upgrade');
  response.statusCode = 101;
  response.detachSocket(upgrade.socket);
  forgetTurns(upgrade.socket);
  response.emit('close');
}
