import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { type FaultAction, Faults } from '../../src/simulator/faults.ts';
import { call, generation, simulatorFor } from './call.ts';
import { exchange, head, upgradeHead } from './raw-client.ts';

const STATUS_BODY = '{"ok":true,"version":"2026-08-14"}';

test('the first matching rule applies, as often as it may', async (t) => {
  const faults = new Faults();
  const once_ = faults.add({ match: { path: '/a' }, times: 1, action: { type: 'hang' } });
  const posts = faults.add({ match: { method: 'POST' }, action: { type: 'refuse' } });
  const below = faults.add({ match: { path: '/tts/*' }, action: { type: 'delay', ms: 1 } });
  const typeOf = (method: string, path: string) => faults.takeForRequest({ method, path })?.type;
  t.equal(typeOf('POST', '/a'), 'hang');
  t.equal(typeOf('POST', '/a'), 'refuse', 'used up');
  t.equal(typeOf('GET', '/a'), undefined);
  t.equal(typeOf('GET', '/tts/bytes'), 'delay');
  t.equal(typeOf('GET', '/tts'), undefined);
  t.strictSame([once_.hits(), posts.hits(), below.hits()], [1, 1, 1]);
  posts.remove();
  t.equal(typeOf('POST', '/a'), undefined);
  t.equal(faults.remove(posts.id), false);
  faults.clear();
  t.strictSame(faults.list(), []);
});

test('rules for connections do not affect requests, and vice versa', async (t) => {
  const faults = new Faults();
  faults.add({ match: {}, action: { type: 'refuse', at: 'accept' } });
  t.equal(faults.takeForRequest({ method: 'GET', path: '/' }), null);
  t.equal(faults.takeForConnection()?.type, 'refuse');
  faults.clear();
  faults.add({ match: {}, action: { type: 'refuse' } });
  t.equal(faults.takeForConnection(), null);
});

test('a rule for sockets is not used up by a request, nor one for responses by an upgrade', async (t) => {
  const faults = new Faults();
  const target = { method: 'GET', path: '/' };
  const [socket, response] = [
    faults.add({ match: {}, times: 1, action: { type: 'close_socket', code: 1013 } }),
    faults.add({ match: {}, times: 1, action: { type: 'big_header', bytes: 10 } }),
  ];
  t.equal(faults.takeForRequest(target)?.type, 'big_header');
  t.equal(faults.takeForRequest(target), null);
  t.equal(faults.takeForUpgrade(target)?.type, 'close_socket');
  t.strictSame([socket.hits(), response.hits()], [1, 1]);
  for (const action of [
    { type: 'drip', part: 'body', intervalMs: 1 },
    { type: 'truncate_events', afterEvents: 0 },
  ] as const)
    faults.add({ match: {}, action });
  t.equal(faults.takeForUpgrade(target), null);
  faults.clear();
  for (const type of ['reset_socket', 'hang_socket'] as const) faults.add({ match: {}, action: { type } });
  faults.add({ match: {}, action: { type: 'garbage_socket', as: 'raw', bytes: 'x' } });
  t.equal(faults.takeForRequest(target), null);
  faults.clear();
  faults.add({ match: {}, times: 1, action: { type: 'truncate_events', afterEvents: 0 } });
  faults.add({ match: {}, times: 1, action: { type: 'error_event', afterEvents: 0, problem: 'unexpected' } });
  t.equal(faults.takeForRequest({ method: 'POST', path: '/access-token' }), null);
  t.equal(faults.takeForRequest({ method: 'POST', path: '/tts/sse' })?.type, 'truncate_events');
  t.equal(faults.takeForUpgrade(target)?.type, 'error_event');
});

for (const secure of [false, true]) {
  const name = secure ? 'over TLS' : 'without TLS';

  test(`every way a connection can fail, ${name}`, async (t) => {
    const simulator = await simulatorFor(t, { tlsPort: 0 });
    const get = head('GET', '/');
    const fail = (action: Parameters<typeof simulator.faults.add>[0]['action']) => {
      simulator.faults.clear();
      simulator.faults.add({ match: {}, times: 1, action });
      return exchange(simulator, get, { secure });
    };
    const bodyOf = (text: string) => text.slice(text.indexOf('\r\n\r\n') + 4);

    t.match(await fail({ type: 'refuse' }), { text: '', end: 'ECONNRESET' });
    t.match(await fail({ type: 'refuse', at: 'accept' }), { text: '', end: 'ECONNRESET' });
    t.match(await fail({ type: 'half_close', at: 'before_headers' }), { text: '', end: 'FIN' });
    t.match(await fail({ type: 'half_close', at: 'inside_headers' }), {
      text: /^HTTP\/1.1 200 OK\r\nCont[^\r]*$/,
      end: 'FIN',
    });

    for (const [type, end] of [
      ['reset', 'ECONNRESET'],
      ['half_close', 'FIN'],
    ] as const) {
      for (const afterBodyBytes of [0, 5, STATUS_BODY.length]) {
        const answer = await fail(type === 'reset' ? { type, afterBodyBytes } : { type, at: 'body', afterBodyBytes });
        t.equal(answer.end, end);
        t.match(answer.text, /^HTTP\/1.1 200 OK\r\n/);
        t.equal(bodyOf(answer.text), STATUS_BODY.slice(0, afterBodyBytes), `${type} after ${afterBodyBytes}`);
      }
    }
    t.match(await fail({ type: 'garbage', bytes: 'SSH-2.0-\xff\r\n' }), { text: 'SSH-2.0-\xff\r\n', end: 'FIN' });
    t.match(await fail({ type: 'garbage', bytes: new Uint8Array([0x15, 0x03]) }), { text: '\x15\x03', end: 'FIN' });
  });

  test(`a dripping response is the whole response, byte by byte, ${name}`, async (t) => {
    const simulator = await simulatorFor(t, { tlsPort: 0 });
    for (const part of ['headers', 'body'] as const) {
      simulator.faults.add({ match: {}, times: 1, action: { type: 'drip', part, intervalMs: 1 } });
      const pieces: string[] = [];
      const answer = await exchange(simulator, head('GET', '/'), { secure, onData: (_, text) => pieces.push(text) });
      t.equal(answer.end, 'FIN', 'the connection is closed afterwards');
      t.ok(answer.text.endsWith(`\r\n\r\n${STATUS_BODY}`));
      const bodyAt = answer.text.length - STATUS_BODY.length;
      const inside = (text: string) => (part === 'body' ? text.length > bodyAt : text.length < bodyAt);
      t.ok(pieces.filter(inside).length > 15, `the ${part} came in many pieces`);
      t.equal(simulator.journal.entries().at(-1)?.outcome, 'completed');
    }
  });
}

test('a request that hangs is never answered, and ends when its client leaves', async (t) => {
  const simulator = await simulatorFor(t);
  simulator.faults.add({ match: { path: '/' }, action: { type: 'hang' } });
  const controller = new AbortController();
  const waiting = fetch(simulator.url, { signal: controller.signal });
  const entry = await simulator.journal.waitFor({ path: '/' }, () => true);
  t.equal(entry.outcome, 'open');
  controller.abort();
  await t.rejects(waiting);
  const ended = await simulator.journal.waitFor({ path: '/' });
  t.match(ended, { outcome: 'aborted', status: null });
});

test('a connection that hangs at accept sends nothing at all', async (t) => {
  const simulator = await simulatorFor(t, { tlsPort: 0 });
  simulator.faults.add({ match: {}, times: 1, action: { type: 'hang', at: 'accept' } });
  const socket = connect(Number(new URL(simulator.tlsUrl).port), '127.0.0.1');
  await once(socket, 'connect');
  let heard = 0;
  socket.on('data', (chunk) => {
    heard += chunk.length;
  });
  socket.write('hello? this is no TLS, which would be answered with an alert');
  t.equal((await call(simulator, 'GET /')).status, 200, 'the next connection is served meanwhile');
  socket.destroy();
  t.equal(heard, 0);
});

test('a delayed response is the ordinary one', async (t) => {
  const simulator = await simulatorFor(t, { settings: { latency: { connectMs: 20 } } });
  simulator.faults.add({ match: {}, times: 1, action: { type: 'delay', ms: 30 } });
  const began = performance.now();
  t.equal((await call(simulator, 'GET /')).text, STATUS_BODY);
  t.ok(performance.now() - began >= 49);
});

test('an answer fault can send any status, in the error form of the version', async (t) => {
  const simulator = await simulatorFor(t);
  simulator.faults.add({
    match: {},
    action: {
      type: 'answer',
      status: 503,
      code: 'overloaded',
      title: 'Busy',
      message: 'Later.',
      retryAfter: 7,
      headers: { 'x-should-retry': 'true' },
    },
  });
  const structured = await call(simulator, 'GET /');
  t.equal(structured.status, 503);
  t.equal(structured.headers.get('retry-after'), '7');
  t.equal(structured.headers.get('x-should-retry'), 'true');
  const request_id = structured.headers.get('x-request-id');
  t.strictSame(structured.json, { error_code: 'overloaded', title: 'Busy', message: 'Later.', request_id });
  const legacy = await call(simulator, 'GET /', { version: '2025-04-16' });
  t.equal(legacy.text, 'Busy: Later.');
  t.equal(legacy.headers.get('content-type'), 'text/plain; charset=utf-8');
});

test("an answer fault can send a load balancer's page, or any body", async (t) => {
  const simulator = await simulatorFor(t);
  simulator.faults.add({
    match: {},
    times: 1,
    action: { type: 'answer', status: 502, title: 'Bad Gateway', html: true },
  });
  const page = await call(simulator, 'GET /');
  t.equal(page.headers.get('content-type'), 'text/html');
  t.match(page.text, /<h1>502 Bad Gateway<\/h1>/);
  simulator.faults.add({ match: {}, times: 1, action: { type: 'answer', status: 200, body: '{"token":7}' } });
  t.strictSame((await call(simulator, 'POST /access-token')).json, { token: 7 });
});

test('error fields can be added and removed', async (t) => {
  const simulator = await simulatorFor(t);
  const fields = { request_id: undefined, error_code: 'some_future_code', extra_field: { a: 1 } };
  simulator.faults.add({ match: {}, action: { type: 'answer', status: 400, title: 'T', message: 'M', fields } });
  t.strictSame((await call(simulator, 'GET /')).json, {
    error_code: 'some_future_code',
    title: 'T',
    message: 'M',
    extra_field: { a: 1 },
  });
});

test('an error can echo the credential, for tests of leaks', async (t) => {
  const simulator = await simulatorFor(t);
  simulator.faults.add({ match: {}, action: { type: 'answer', status: 401, echoAuthorization: true } });
  const answer = await call(simulator, 'GET /');
  t.match(answer.text, 'Bearer sk_car_simulated');
  t.equal(answer.headers.get('x-echo-authorization'), 'Bearer sk_car_simulated');
  const keyed = await call(simulator, 'GET /', { credential: null, headers: { 'x-api-key': 'sk_car_k' } });
  t.equal(keyed.headers.get('x-echo-authorization'), 'sk_car_k');
});

test('an answer can be a redirect, or have a huge header', async (t) => {
  const simulator = await simulatorFor(t);
  simulator.faults.add({ match: {}, times: 1, action: { type: 'redirect', location: 'http://127.0.0.1:9/' } });
  const redirect = await call(simulator, 'POST /access-token');
  t.equal(redirect.status, 307);
  t.equal(redirect.headers.get('location'), 'http://127.0.0.1:9/');
  simulator.faults.add({ match: {}, times: 1, action: { type: 'big_header', bytes: 9_000 } });
  t.equal((await call(simulator, 'GET /')).headers.get('x-big')?.length, 9_000);
});

test('a fault in the middle of a chunked body is not mistaken for its end', async (t) => {
  const simulator = await simulatorFor(t);
  for (const action of [
    { type: 'half_close', at: 'body', afterBodyBytes: 1_000 },
    { type: 'reset', afterBodyBytes: 1_000 },
  ] as const) {
    simulator.faults.add({ match: { path: '/tts/bytes' }, times: 1, action });
    await t.rejects(call(simulator, 'POST /tts/bytes', { json: generation() }));
    t.match(simulator.journal.entries().at(-1), { status: 200, outcome: 'faulted', bytesOut: 1_000 });
  }
  t.equal(simulator.counters().tts.active, 0);
});

test('a dripping head is followed by the whole of a long body', async (t) => {
  const simulator = await simulatorFor(t);
  const transcript = 'Enough to fill every buffer on the way. '.repeat(20);
  const json = generation({
    transcript,
    output_format: { container: 'raw', encoding: 'pcm_f32le', sample_rate: 48_000 },
  });
  const { bytes } = await call(simulator, 'POST /tts/bytes', { json });
  simulator.faults.add({ match: {}, times: 1, action: { type: 'drip', part: 'headers', intervalMs: 1 } });
  const dripped = await call(simulator, 'POST /tts/bytes', { json });
  t.equal(dripped.bytes.length, bytes.length);
});

test('a connection that a fault ends is closed even if the body of its request was not read', async (t) => {
  const simulator = await simulatorFor(t);
  const body = 'x'.repeat(300_000);
  const request = head('POST', '/nowhere', { 'content-length': String(body.length) }) + body;
  const ending: readonly FaultAction[] = [
    { type: 'half_close', at: 'before_headers' },
    { type: 'half_close', at: 'body', afterBodyBytes: 5 },
    { type: 'garbage', bytes: 'x' },
    { type: 'drip', part: 'body', intervalMs: 1 },
  ];
  for (const action of ending) {
    simulator.faults.add({ match: {}, times: 1, action });
    await exchange(simulator, request);
    for (let turns = 0; turns < 200 && simulator.counters().openConnections > 0; turns += 1) await sleep(5);
    t.equal(simulator.counters().openConnections, 0, action.type);
  }
});

test('a connection that a fault leaves open ends with its client', async (t) => {
  const simulator = await simulatorFor(t);
  const port = Number(new URL(simulator.url).port);
  const rest: readonly (readonly [FaultAction, string])[] = [
    [{ type: 'hang', at: 'accept' }, ''],
    [{ type: 'hang', at: 'accept' }, head('GET', '/')],
    [{ type: 'hang' }, head('GET', '/')],
    [{ type: 'hang' }, upgradeHead('/tts/websocket')],
    [{ type: 'garbage', bytes: 'x', keepOpen: true }, head('GET', '/')],
    [{ type: 'garbage', bytes: 'x', keepOpen: true }, upgradeHead('/tts/websocket')],
  ];
  for (const [action, bytes] of rest) {
    const fault = simulator.faults.add({ match: {}, times: 1, action });
    const socket = connect(port, '127.0.0.1');
    socket.write(bytes);
    while (fault.hits() === 0) await new Promise(setImmediate);
    if (action.type === 'garbage') {
      await once(socket, 'data');
      t.equal(simulator.journal.entries().at(-1)?.outcome, 'faulted');
    }
    t.equal(simulator.counters().openConnections, 1);
    socket.destroy();
    for (let turns = 0; turns < 200 && simulator.counters().openConnections > 0; turns += 1) await sleep(5);
    t.equal(simulator.counters().openConnections, 0, `${action.type}, ${bytes.split('\r\n', 1)[0]}`);
  }
});
