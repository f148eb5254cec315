import { test } from 'tap';
import { createConnectionPool } from '../../src/upstream/connection-pool.ts';
import { createTrust } from '../../src/upstream/trust.ts';
import { startRawUpstream, tokenAnswer } from './raw-upstream.ts';

test('a pool that is closed while it loads opens no connection', async (t) => {
  const upstream = await startRawUpstream(({ socket }) => socket.write(tokenAnswer()));
  t.teardown(() => upstream.close());
  const pool = createConnectionPool({
    upstream: { baseUrl: upstream.url, connections: 1 },
    trust: createTrust(null),
    connectTimeoutMs: 1_000,
  });
  const loading = pool.load();
  await pool.close();
  const dispatcher = await loading;
  const { promise: refused, resolve: onResponseError } = Promise.withResolvers<Error>();
  dispatcher.dispatch(
    { method: 'GET', path: '/' },
    { onRequestStart() {}, onResponseError: (_controller, error) => onResponseError(error) },
  );
  t.match(await refused, { code: 'UND_ERR_DESTROYED' });
  t.equal(upstream.connections, 0);
});
