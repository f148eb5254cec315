// The broker's own transport: HTTP/1.1 over pooled connections, built for passing streams on.
import type { ConnectionPoolOptions } from './connection-pool.ts';
import { originOf } from './http1/connect.ts';
import { Connection, type ConnectionOwner, type PendingRequest } from './http1/connection.ts';
import type { UpstreamTransport } from './transport.ts';
import { UpstreamFailure } from './upstream-failure.ts';

/** We close idle connections before the 60 s of common load balancers: what is written while the peer closes is lost. */
const IDLE_MS = 30_000;
/** Subtracted from the time that upstream says it keeps an idle connection. */
const HINT_MARGIN_MS = 1000;
const SWEEP_MS = 500;

interface Idle {
  readonly connection: Connection;
  /** Monotonic milliseconds. */
  readonly untilMs: number;
}

/** Nothing is ever sent twice: a generation costs money, and there is no telling whether upstream began it. */
export function createHttp1Transport(options: ConnectionPoolOptions): UpstreamTransport {
  const { upstream, trust, connectTimeoutMs } = options;
  const origin = originOf(upstream.baseUrl);
  const all = new Set<Connection>();
  /** A stack: the connection used last is used next, so that surplus ones age and are closed. */
  const idle: Idle[] = [];
  /** Those that became idle in this turn. */
  let resting: Idle[] | null = null;
  /** Requests that wait, in order of arrival, while the maximum number of connections is open. */
  const waiting = new Set<PendingRequest>();
  let sweep: NodeJS.Timeout | null = null;
  let isClosed = false;

  const owner: ConnectionOwner = {
    onIdle(connection, keepAliveSeconds) {
      const hintMs = keepAliveSeconds === null ? IDLE_MS : keepAliveSeconds * 1000 - HINT_MARGIN_MS;
      if (hintMs > 0) rest({ connection, untilMs: performance.now() + Math.min(IDLE_MS, hintMs) });
      else connection.destroy(IDLE);
    },
    onGone(connection) {
      all.delete(connection);
      const at = idle.findIndex((one) => one.connection === connection);
      if (at !== -1) idle.splice(at, 1);
      const next = takeWaiting();
      if (next !== null) send(next);
    },
  };

  /**
   * Holds a connection back for two turns of the event loop. Upstream may close it right after its response without having announced that;
   * the close shows at the next poll of the socket, and anything written before then is lost.
   */
  function rest(one: Idle): void {
    if (resting !== null) {
      resting.push(one);
      return;
    }
    const rested = [one];
    resting = rested;
    setImmediate(() => {
      resting = null;
      setImmediate(() => rested.forEach(offer));
    });
  }

  function offer(one: Idle): void {
    if (!one.connection.isUsable) return;
    const next = takeWaiting();
    if (next !== null) {
      one.connection.send(next);
      return;
    }
    idle.push(one);
    sweep ??= setInterval(closeIdle, SWEEP_MS).unref();
  }

  function takeWaiting(): PendingRequest | null {
    const next = waiting.values().next();
    if (next.done) return null;
    waiting.delete(next.value);
    return next.value;
  }

  function closeIdle(): void {
    const now = performance.now();
    for (const { connection, untilMs } of [...idle]) if (untilMs <= now) connection.destroy(IDLE);
    if (idle.length > 0 || sweep === null) return;
    clearInterval(sweep);
    sweep = null;
  }

  function send(pending: PendingRequest): void {
    if (isClosed) {
      pending.handler.onFailure(CLOSED);
      return;
    }
    const now = performance.now();
    for (let last = idle.pop(); last !== undefined; last = idle.pop()) {
      if (last.connection.isUsable && last.untilMs > now) {
        last.connection.send(pending);
        return;
      }
      last.connection.destroy(IDLE);
    }
    if (all.size < upstream.connections) all.add(connect(pending));
    else waiting.add(pending);
  }

  function connect(first: PendingRequest): Connection {
    const secureContext = origin.isSecure ? trust.context : undefined;
    return new Connection({ origin, secureContext, timeoutMs: connectTimeoutMs }, owner, first);
  }

  return {
    send: (request, handler) => send({ request, handler }),
    async close() {
      isClosed = true;
      if (sweep !== null) clearInterval(sweep);
      sweep = null;
      const refused = [...waiting];
      waiting.clear();
      for (const connection of all) connection.destroy(CLOSED);
      for (const { handler } of refused) handler.onFailure(CLOSED);
    },
  };
}

const IDLE = new UpstreamFailure('cut', 'IDLE');
const CLOSED = new UpstreamFailure('cut', 'CLOSED');
