// Ending a connection so that the last answer on it arrives.
import type { Socket } from 'node:net';

/**
 * How long a connection is still listened to after our last byte. A socket that is closed while bytes of the peer lie unread in it
 * sends a reset, and the reset overtakes the answer: the peer sees a broken connection instead of the reason. Milliseconds.
 * @see RFC 9112 §9.6
 */
const LINGER_MS = 500;

/** Says `bytes`, if any, and that there will be no more; what still comes is read and thrown away, for a short while. */
export function endConnection(socket: Socket, bytes?: string): void {
  if (!socket.writable) return; // ended before
  socket.on('error', () => socket.destroy());
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  if (bytes === undefined) socket.end();
  else socket.end(bytes);
  socket.resume();
}
