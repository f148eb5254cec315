// Ends a client's connection so that a partial response never looks complete.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** In HTTP/1.0 the end of the connection is the regular end of the body, so there the connection is reset or, over TLS, corrupted. */
export function breakConnection(response: ServerResponse): void {
  const { socket, req } = response;
  // First send what has passed: the client must see a response that breaks off, not a connection that ends without one.
  response.flushHeaders();
  while (socket !== null && socket.writableCorked > 0) socket.uncork();
  if (req.httpVersion === '1.0' && socket !== null) {
    if ('encrypted' in socket) spoil(socket);
    else socket.resetAndDestroy();
  }
  response.destroy();
}

/**
 * Over TLS a missing close alert should suffice, but nginx, which as a proxy uses HTTP/1.0 by default, takes that and a reset for a regular
 * end. No client accepts an alert that is not encrypted.
 */
function spoil(socket: Socket & { readonly _parent?: Socket | null }): void {
  const tcp = socket._parent; // Node has no public name for the TCP socket under a TLS socket
  tcp?.on('error', () => tcp.destroy());
  tcp?.write(FATAL_ALERT);
}

/** TLS record of a fatal alert, `internal_error`. */
const FATAL_ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 80]);
