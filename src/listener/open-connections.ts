// The connections of a server, so that all of them can be cut. Node's own list lacks those whose TLS handshake is under way and those that
// have left HTTP: an upgrade leaves it before it is admitted.
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
  server.on('connection', (socket) => {
    const entry: Entry = { socket, place: -1 };
    open.add(entry);
    socket.on('close', () => open.delete(entry));
  });
}

/** Destroys all connections of a server that `listConnections` was called for. */
export function cutConnections(server: Server): void {
  for (const { socket } of lists.get(server)?.all() ?? []) socket.destroy();
}
