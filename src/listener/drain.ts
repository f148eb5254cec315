// Stops the server without failing a request.
import type http from 'node:http';
import net from 'node:net';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { closeIdleConnections, cutConnections } from './open-connections.ts';
import type { Readiness } from './readiness.ts';

export interface DrainOptions {
  readonly readiness: Readiness;
  /** How long to go on serving while not ready: the time that load balancers need to notice. Milliseconds. */
  readonly delayMs: number;
  /** How long open requests may take after that. Milliseconds. */
  readonly deadlineMs: number;
  /** Ends, within the deadline, connections that have left HTTP, which the server no longer knows. */
  readonly drainSockets?: (deadlineMs: number) => Promise<void>;
  /** Called at the deadline with the number of connections that still have an open request; there is a moment left for a last message. */
  readonly onDeadline?: (connections: number) => void;
  /** How long an idle connection is kept for a request that may be on its way. Default: a second. Milliseconds. */
  readonly idleGraceMs?: number;
  /** For tests. */
  readonly sleep?: (ms: number) => Promise<unknown>;
}

/** While draining, every response closes its connection, so that keep-alive clients move on by themselves. */
export function closeConnectionsWhileDraining(app: FastifyInstance, readiness: Readiness): void {
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (readiness.state === 'draining') reply.header('connection', 'close');
    done();
  });
}

/**
 * Becomes not ready at once, goes on serving for the delay without a single refusal, then stops accepting and lets open requests finish.
 * Idle connections get a grace period rather than being cut at once: a request may be on its way.
 * Resolves when the last connection is gone or the deadline is over; what is left then is cut.
 * @param server one that `listConnections` was called for
 */
export async function drain(server: http.Server, options: DrainOptions): Promise<void> {
  const { readiness, delayMs, deadlineMs, drainSockets, onDeadline, idleGraceMs = IDLE_GRACE_MS } = options;
  const { sleep = (ms: number) => delay(ms) } = options;
  readiness.set('draining');
  if (delayMs > 0) await sleep(delayMs);

  // Not http.Server's own close(): that one cuts idle connections on the spot.
  const closed = new Promise<void>((resolve) => {
    net.Server.prototype.close.call(server, () => resolve());
  });
  const idle = setInterval(() => closeIdleConnections(server), idleGraceMs);
  let cut = setTimeout(() => {
    cut = setTimeout(() => cutConnections(server), LAST_WORDS_MS);
    closeIdleConnections(server);
    server.getConnections((_error, connections) => {
      if (connections > 0) onDeadline?.(connections);
    });
  }, deadlineMs);
  await Promise.all([closed, drainSockets?.(deadlineMs)]);
  // The server is closed when no connection is left; a request that was cut learns of it only at the end of the event loop's turn,
  // and then logs its line.
  await turn();
  await turn();
  clearInterval(idle);
  clearTimeout(cut);
}

/** For a start that failed: whoever has connected since the server listened is cut off. After a `drain` there is nobody left. */
export async function closeAtOnce(app: FastifyInstance): Promise<void> {
  net.Server.prototype.close.call(app.server); // first, so that nobody connects in the place of those who are cut off
  cutConnections(app.server);
  await app.close();
}

/** Longer than a request needs to cross a network, shorter than anyone minds at a shutdown. */
const IDLE_GRACE_MS = 1000;
/** Time for the last event of a stream to be sent. */
const LAST_WORDS_MS = 100;
