import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'tap';
import type { Dispatcher } from 'undici';
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
  t.match(await failureOf(dispatcher), { code: 'UND_ERR_DESTROYED' });
  t.equal(upstream.connections, 0);
});

/** Sends a request. @returns why it failed; `null` if it was answered */
function failureOf(dispatcher: Dispatcher): Promise<Error | null> {
  const { promise, resolve } = Promise.withResolvers<Error | null>();
  dispatcher.dispatch(
    { method: 'GET', path: '/' },
    {
      onRequestStart() {},
      onResponseStart() {},
      onResponseData() {},
      onResponseEnd: () => resolve(null),
      onResponseError: (_controller, error) => resolve(error),
    },
  );
  return promise;
}

test('a connection that has ended is not kept in memory', async (t) => {
  const upstream = await startRawUpstream(({ socket }) => socket.end(tokenAnswer(undefined, 'connection: close\r\n')));
  t.teardown(() => upstream.close());
  const pool = createConnectionPool({
    upstream: { baseUrl: upstream.url, connections: 1 },
    trust: createTrust(null),
    connectTimeoutMs: 1_000,
  });
  t.teardown(() => pool.close());
  const sockets: WeakRef<Socket>[] = [];
  const ends: Promise<unknown>[] = [];
  const note = (message: unknown): void => {
    const { socket } = message as { socket: Socket }; // as Node documents it
    sockets.push(new WeakRef(socket));
    ends.push(new Promise((resolve) => socket.once('close', resolve)));
  };
  subscribe('net.client.socket', note);
  t.teardown(() => unsubscribe('net.client.socket', note));
  const dispatcher = await pool.load();
  for (let requests = 0; requests < 5; requests += 1) t.equal(await failureOf(dispatcher), null);
  await Promise.all(ends.splice(0));
  t.equal(sockets.length, 5);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let turns = 0; turns < 5; turns += 1) {
    await turn();
    collect();
  }
  const kept = sockets.filter((socket) => socket.deref() !== undefined).length;
  t.ok(kept <= 1, `${kept} of five are kept`); // the client may remember the last one
});
