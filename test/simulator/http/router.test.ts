import { createServer } from 'node:http';
import { connect } from 'node:net';
import { type Test, test } from 'tap';
import { Client } from 'undici';
import { FrontDoor } from '../../../src/simulator/front-door.ts';
import { createRequestHandler, pathMatcher, type Route } from '../../../src/simulator/http/router.ts';
import { defaultSettings } from '../../../src/simulator/settings.ts';
import { createWorld } from '../../../src/simulator/world.ts';
import { call, simulatorFor } from '../call.ts';

/** Starts a server with only these routes. */
async function serve(t: Test, routes: readonly Route[]): Promise<string> {
  const world = createWorld(defaultSettings());
  const door = new FrontDoor(world, createServer(createRequestHandler(world, routes)));
  t.teardown(() => door.close());
  return `http://127.0.0.1:${await door.listen('127.0.0.1', 0)}`;
}

test('a pattern matches whole paths, and returns the decoded parameters', async (t) => {
  const match = pathMatcher('/v1/{a}/x.y/{b}');
  t.strictSame(match('/v1/one/x.y/two'), { a: 'one', b: 'two' });
  t.strictSame(match('/v1/%C3%BC%2F/x.y/%zz'), { a: 'ü/', b: '%zz' }, 'undecodable text stays as it is');
  for (const path of ['/v1/one/xzy/two', '/v1/one/x.y/two/', '/v1//x.y/two', '/v1/a/b/x.y/two', 'x/v1/one/x.y/two']) {
    t.equal(match(path), null, path);
  }
});

test('a bug in the simulator is a 500 with its message, or a cut connection once the response has begun', async (t) => {
  const fail = (start: boolean): Route => ({
    method: 'GET',
    path: start ? '/late' : '/early',
    requires: 'none',
    handle: async (exchange) => {
      if (start) exchange.start(200, { 'content-type': 'text/plain' });
      throw new Error('a bug');
    },
  });
  const url = await serve(t, [fail(false), fail(true)]);
  const early = await fetch(`${url}/early`, { headers: { 'cartesia-version': '2026-08-14' } });
  t.match(
    [early.status, await early.json()],
    [500, { title: 'Unexpected error', message: /^Simulator: Error: a bug\n/ }],
  );
  const late = await fetch(`${url}/late`)
    .then((response) => response.text())
    .catch((error: Error) => error);
  t.type(late, Error);
});

test('a client that leaves during its upload is noticed', async (t) => {
  const simulator = await simulatorFor(t);
  const socket = connect(Number(new URL(simulator.url).port), '127.0.0.1');
  socket.write(
    `POST /access-token HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${simulator.apiKey}\r\nContent-Length: 50\r\n\r\n{"grants":`,
  );
  await simulator.journal.waitFor({ path: '/access-token' }, () => true);
  socket.destroy();
  t.match(await simulator.journal.waitFor({ path: '/access-token' }), { outcome: 'aborted', status: null });
  t.equal((await call(simulator, 'GET /')).status, 200, 'and other clients are not affected');
});

test('a response sent before the body was read does not block the next request on the connection', async (t) => {
  const simulator = await simulatorFor(t);
  const client = new Client(simulator.url, { headersTimeout: 2_000 });
  t.teardown(() => client.destroy());
  let connections = 0;
  client.on('connect', () => {
    connections += 1;
  });
  const upload = { method: 'POST', path: '/stt', headers: { authorization: 'Bearer no' }, body: Buffer.alloc(200_000) };
  for (const request of [upload, { method: 'GET', path: '/' }] as const) {
    const { statusCode, body } = await client.request(request);
    await body.dump();
    t.equal(statusCode, request === upload ? 401 : 200);
  }
  t.equal(connections, 1);
});
