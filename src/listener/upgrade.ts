// Lets a WebSocket upgrade pass through the application as an ordinary request with an ordinary response, until a route takes over the
// connection.
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { endConnection } from './end-connection.ts';
import { forgetTurns } from './turns.ts';

/** The connection of an upgrade, and what has already come after the request. */
export interface Upgrade {
  readonly socket: Socket;
  readonly head: Buffer;
}

/** Set on a request that came as an upgrade. */
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

/** Makes the response to an upgrade: the last one on its connection, which the parser has let go of. */
export function responseTo(request: IncomingMessage, upgrade: Upgrade): ServerResponse {
  request[upgradeOf] = upgrade;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  return response;
}

/** To be called when it is the upgrade's turn: until then, an earlier response may still be under way. */
export function beginAnswer(request: IncomingMessage, response: ServerResponse): void {
  const upgrade = request[upgradeOf];
  if (upgrade === undefined) return;
  const { socket } = upgrade;
  response.assignSocket(socket);
  response.once('finish', () => endConnection(socket));
}

/**
 * Takes the connection away from HTTP: from now on, writes go to the socket. The response closes, which is when its line is logged.
 */
export function takeOver(request: IncomingMessage, response: ServerResponse): void {
  const upgrade = request[upgradeOf];
  if (upgrade === undefined) throw new TypeError('not an upgrade');
  response.statusCode = 101;
  response.detachSocket(upgrade.socket);
  forgetTurns(upgrade.socket);
  response.emit('close');
}
