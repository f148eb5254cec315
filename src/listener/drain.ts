// Stopping without a failed request.
import type http from 'node:http';
import net from 'node:net';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Readiness } from './readiness.ts';

export interface DrainOptions {
  readonly readiness: Readiness;
  /** Not ready, still serving: the time that load balancers need to look elsewhere. Milliseconds. */
  readonly delayMs: number;
  /** How long open requests may take after that. Milliseconds. */
  readonly deadlineMs: number;
  /** Connections that are no longer HTTP's, which its server does not know. Ends them within the deadline. */
  readonly drainSockets?: (deadlineMs: number) => Promise<void>;
  /** Told at the deadline how many connections have a request that is still open: a moment is left to end them with a word. */
  readonly onDeadline?: (connections: number) => void;
  /** How long an idle connection is kept for a request that is on its way in it. Default: a second. Milliseconds. */
  readonly idleGraceMs?: number;
  /** For tests. */
  readonly sleep?: (ms: number) => Promise<unknown>;
}

/** While draining, every answer asks its connection to end, so that keep-alive clients move on by themselves. */
export function closeConnectionsWhileDraining(app: FastifyInstance, readiness: Readiness): void {
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (readiness.state === 'draining') reply.header('connection', 'close');
    done();
  });
}

/**
 * Not ready at once; goes on serving for the delay, without a single refusal; then stops accepting and lets what is open finish.
 * Idle connections are given a grace rather than cut at once: a request may be on its way in one.
 * Resolves when the last connection is gone or the deadline is over; what is left then is cut.
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
  const idle = setInterval(() => server.closeIdleConnections(), idleGraceMs);
  let cut = setTimeout(() => {
    cut = setTimeout(() => server.closeAllConnections(), LAST_WORDS_MS);
    server.closeIdleConnections();
    server.getConnections((_error, connections) => {
      if (connections > 0) onDeadline?.(connections);
    });
  }, deadlineMs);
  await Promise.all([closed, drainSockets?.(deadlineMs)]);
  // The server is closed when no connection is left to count; that it was cut, a request learns at the end of the event loop's
  // turn, and then it writes its line.
  await turn();
  await turn();
  clearInterval(idle);
  clearTimeout(cut);
}

/** Longer than a request needs to cross a network, shorter than anyone minds at a shutdown. */
const IDLE_GRACE_MS = 1000;
/** For the last event of a stream to leave. */
const LAST_WORDS_MS = 100;
