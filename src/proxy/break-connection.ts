// A broken answer never looks whole.
import type { ServerResponse } from 'node:http';

/**
 * Before HTTP/1.1 the end of the connection is the end of the body, and a broken one must not look like it.
 * Over TLS the missing close alert tells.
 */
export function breakConnection(response: ServerResponse): void {
  const { socket, req } = response;
  // What has passed leaves before: the client shall see an answer that breaks off, and not a connection that says nothing.
  response.flushHeaders();
  while (socket !== null && socket.writableCorked > 0) socket.uncork();
  if (req.httpVersion === '1.0' && socket !== null && !('encrypted' in socket)) socket.resetAndDestroy();
  else response.destroy();
}
