// A broken answer never looks whole.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Before HTTP/1.1 the end of the connection is the end of the body, and a broken one must not look like it. */
export function breakConnection(response: ServerResponse): void {
  const { socket, req } = response;
  // What has passed leaves before: the client shall see an answer that breaks off, and not a connection that says nothing.
  response.flushHeaders();
  while (socket !== null && socket.writableCorked > 0) socket.uncork();
  if (req.httpVersion === '1.0' && socket !== null) {
    if ('encrypted' in socket) spoil(socket);
    else socket.resetAndDestroy();
  }
  response.destroy();
}

/**
 * Over TLS the missing close alert should tell, but nginx, which asks in HTTP/1.0 unless told otherwise, takes that for an end, and a reset
 * too. An alert that is not encrypted nobody lets pass.
 */
function spoil(socket: Socket & { readonly _parent?: Socket | null }): void {
  const tcp = socket._parent; // Node has no public name for the connection under a TLS one
  tcp?.on('error', () => tcp.destroy());
  tcp?.write(FATAL_ALERT);
}

/** TLS record of an alert: fatal, internal error. */
const FATAL_ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 80]);
