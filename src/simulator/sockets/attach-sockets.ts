// Which WebSocket answers which path.

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { pathMatcher } from '../http/router.ts';
import { problem } from '../problems.ts';
import { openUpgrade, type Upgrade } from '../upgrade.ts';
import type { World } from '../world.ts';

/** One socket endpoint. `{name}` in its path stands for one segment. */
export interface SocketRoute {
  readonly path: string;
  /** Authenticates, then refuses or accepts the upgrade and lives until the socket is closed. */
  readonly accept: (upgrade: Upgrade, socket: Duplex, head: Buffer, params: Readonly<Record<string, string>>) => void;
}

const SOCKET_ROUTES: readonly SocketRoute[] = [];

/** Serves the WebSocket endpoints on a server's upgrades. */
export function attachSockets(server: Server, world: World): void {
  const routes = SOCKET_ROUTES.map((route) => ({ ...route, match: pathMatcher(route.path) }));
  const accept = async (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const upgrade = await openUpgrade(world, request, socket);
    if (upgrade === null) return;
    for (const route of routes) {
      const params = route.match(upgrade.path);
      if (params !== null) return route.accept(upgrade, socket, head, params);
    }
    upgrade.refuse(problem(world.settings, 'not_found', { message: 'There is no such endpoint.' }));
  };
  server.on('upgrade', (request, socket, head) => {
    accept(request, socket, head).catch(() => socket.destroy());
  });
}
