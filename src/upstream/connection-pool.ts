// The pool of connections to upstream, made with undici: kept alive, bounded, certificates always verified.
import { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Dispatcher, Pool } from 'undici';
import type { Config } from '../config/config.ts';
import { HEAD_MAX_BYTES } from './head-limit.ts';
import type { Trust } from './trust.ts';
import { UpstreamFailure } from './upstream-failure.ts';

export interface ConnectionPool {
  /** `null` until `load` has come back. */
  readonly dispatcher: Dispatcher | null;
  /** Loads the HTTP client, once. Separate from construction, so that a process can listen before it pays for loading. */
  load(): Promise<Dispatcher>;
  /** Ends every connection, including those still being made. Idempotent. */
  close(): Promise<void>;
}

export interface ConnectionPoolOptions {
  readonly upstream: Pick<Config['upstream'], 'baseUrl' | 'connections'>;
  readonly trust: Trust;
  readonly connectTimeoutMs: number;
}

/**
 * We close idle connections first, before the 60 s after which common load balancers close theirs, because a request written while the
 * peer closes is lost and must not be sent again. A shorter `Keep-Alive: timeout` from upstream wins.
 */
const IDLE_MS = 30_000;

export function createConnectionPool(options: ConnectionPoolOptions): ConnectionPool {
  const { upstream, trust, connectTimeoutMs } = options;
  const isSecure = new URL(upstream.baseUrl).protocol === 'https:';
  const connecting = new Set<Socket>();
  let pool: Pool | null = null;
  let loading: Promise<Dispatcher> | null = null;
  let closed = false;

  async function open(): Promise<Dispatcher> {
    const [{ default: PoolOfUndici }, { default: buildConnector }] = await Promise.all([
      import('undici/lib/dispatcher/pool.js'),
      import('undici/lib/core/connect.js'),
    ]);
    const connectorWith = (secureContext: SecureContext | undefined) =>
      buildConnector({
        ...(secureContext === undefined ? {} : { secureContext }),
        // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not affect this connection.
        rejectUnauthorized: true,
        allowH2: false,
        // Node does not check the name of a resumed session's certificate again, so no session is ever resumed.
        maxCachedSessions: 0,
        // The timer in `watch` is exact; undici's timers tick twice a second.
        timeout: 0,
      });
    let madeWith = isSecure ? trust.context : undefined;
    let connector = connectorWith(madeWith);
    const created = new PoolOfUndici(new URL(upstream.baseUrl).origin, {
      connections: upstream.connections,
      pipelining: 1,
      allowH2: false,
      // The proven parser. The other one is experimental, and an environment variable can switch it on.
      useMilo: false,
      keepAliveTimeout: IDLE_MS,
      keepAliveMaxTimeout: IDLE_MS,
      maxHeaderSize: HEAD_MAX_BYTES,
      // Our own deadline covers everything: a timer between two chunks never fires on a response that trickles in.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (connectOptions, callback) => {
        if (madeWith !== undefined && madeWith !== trust.context) {
          madeWith = trust.context;
          connector = connectorWith(madeWith);
        }
        // undici returns the socket, although its types do not say so. Its own destroy() forgets sockets that are not connected yet.
        const socket: unknown = connector(connectOptions, callback);
        if (socket instanceof Socket) watch(socket, connectOptions.protocol === 'https:' ? 'secureConnect' : 'connect');
      },
    });
    pool = created;
    if (closed) await end();
    return created;
  }

  function watch(socket: Socket, connected: 'connect' | 'secureConnect'): void {
    const timer = setTimeout(() => {
      socket.destroy(new UpstreamFailure('connect_timeout', `${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    const done = () => {
      clearTimeout(timer);
      connecting.delete(socket);
    };
    connecting.add(socket);
    socket.once(connected, done).once('close', done);
    socket.once(connected, () => void socket.prependListener('error', tellFromEnd));
  }

  async function end(): Promise<void> {
    const ended = pool?.destroy();
    for (const socket of connecting) socket.destroy(new Error('closed'));
    await ended;
  }

  return {
    get dispatcher() {
      return pool;
    },
    load() {
      loading ??= open().catch((error: unknown) => {
        loading = null; // perhaps a file could not be read: the next caller may succeed
        throw error;
      });
      return loading;
    },
    async close() {
      closed = true;
      await end();
    },
  };
}

/**
 * undici treats a reset as the regular end of a body that has neither a length nor chunks (for macOS, its source says). It goes by the
 * error's code, so the code is changed before undici sees the error: a partial response must never look complete.
 */
function tellFromEnd(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = 'RESET';
}
