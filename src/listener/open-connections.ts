// The connections of a server, so that all of them can be cut. Node's own list lacks those whose TLS handshake is under way and those that
// have left HTTP: an upgrade leaves it before it is admitted.
import type http from 'node:http';
import type { Server, Socket } from 'node:net';
import { type Listed, LiveList } from '../collections/live-list.ts';

interface Entry extends Listed {
  readonly socket: Socket;
}

const lists = new WeakMap<Server, LiveList<Entry>>();

/** To be called before the server listens. */
export function listConnections(server: Server): void {
  const open = new LiveList<Entry>();
  lists.set(server, open);
  const add = (socket: Socket): void => {
    const entry: Entry = { socket, place: -1 };
    open.add(entry);
    socket.on('close', () => open.delete(entry));
  };
  server.on('connection', add);
  server.on('secureConnection', add); // over TLS, what HTTP writes to is another object
}

/** Destroys all connections of a server that `listConnections` was called for. */
export function cutConnections(server: Server): void {
  for (const { socket } of lists.get(server)?.all() ?? []) socket.destroy();
}

/**
 * Ends the connections without a request under way, of a server that `listConnections` was called for. To Node's own method a connection is
 * idle as soon as its response is written, even if a slow client has yet to be sent the last of it.
 */
export function closeIdleConnections(server: http.Server): void {
  const all = lists.get(server)?.all() ?? [];
  const sending = all.map(({ socket }) => socket).filter(({ writableLength }) => writableLength > 0);
  for (const socket of sending) socket.destroy = () => socket;
  try {
    server.closeIdleConnections();
  } finally {
    for (const socket of sending) Reflect.deleteProperty(socket, 'destroy');
  }
}
