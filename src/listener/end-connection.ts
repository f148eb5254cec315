// Ends a connection so that the last response on it arrives.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * How long a connection is still read after our last byte. A socket that is closed with unread bytes in it sends a reset, and the
 * reset overtakes the response: the peer sees a broken connection instead of the reason. Milliseconds.
 * @see RFC 9112 §9.6
 */
const LINGER_MS = 500;

/**
 * Reads and discards what still comes, so that the end of the connection is noticed. Otherwise Node would make two objects of each
 * further request and keep them for as long as the connection lasts.
 */
export function ignoreRest(socket: Duplex): void {
  socket.removeAllListeners('data').on('data', ignore); // Node's parser lets go of a connection with another `data` listener
}

/** Sends `bytes`, if any, and ends our side; for a short while, what still comes is read and discarded. */
export function endConnection(socket: Socket, bytes?: string): void {
  if (!socket.writable) return; // already ended
  socket.on('error', () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  if (bytes === undefined) socket.end();
  else socket.end(bytes);
  ignoreRest(socket);
  socket.resume();
}

const ignore = (): void => {};
