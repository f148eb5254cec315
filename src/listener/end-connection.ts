// Ending a connection so that the last answer on it arrives.
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * How long a connection is still listened to after our last byte. A socket that is closed while bytes of the peer lie unread in it
 * sends a reset, and the reset overtakes the answer: the peer sees a broken connection instead of the reason. Milliseconds.
 * @see RFC 9112 §9.6
 */
const LINGER_MS = 500;

/**
 * Nothing that still comes becomes a request: it is read, so that the end of the connection is noticed, and thrown away. Node would go on
 * making two objects of each, and keep them for as long as the connection lasts.
 */
export function ignoreRest(socket: Duplex): void {
  socket.removeAllListeners('data').on('data', ignore); // Node's parser lets go of a connection that somebody else listens to
}

/** Says `bytes`, if any, and that there will be no more; what still comes is read and thrown away, for a short while. */
export function endConnection(socket: Socket, bytes?: string): void {
  if (!socket.writable) return; // ended before
  socket.on('error', () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  if (bytes === undefined) socket.end();
  else socket.end(bytes);
  ignoreRest(socket);
  socket.resume();
}

const ignore = (): void => {};
