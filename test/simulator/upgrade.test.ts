import { test } from 'tap';
import type { FaultAction } from '../../src/simulator/faults.ts';
import { simulatorFor } from './call.ts';
import { exchange, head, upgradeHead } from './raw-client.ts';

test('an upgrade of an unknown path is an HTTP error in the form of its version', async (t) => {
  const simulator = await simulatorFor(t);
  const structured = await exchange(
    simulator,
    upgradeHead('/nowhere?cartesia_version=2026-08-14', { 'cartesia-version': '2025-04-16' }),
  );
  t.match(structured, { text: /^HTTP\/1.1 404 Not Found\r\n/, end: 'FIN' });
  const [headers = '', body = ''] = structured.text.split('\r\n\r\n');
  const [, requestId] = /cartesia-request-id: (\S+)/.exec(headers) ?? [];
  t.match(JSON.parse(body), { error_code: null, title: 'Not found', request_id: requestId });
  const legacy = await exchange(simulator, upgradeHead('/nowhere', { 'cartesia-version': '2025-04-16' }));
  t.match(legacy.text, /\r\n\r\nNot found: There is no such endpoint\.$/);
  t.match(simulator.journal.entries(), [
    {
      transport: 'websocket',
      path: '/nowhere',
      status: 404,
      outcome: 'completed',
      query: { cartesia_version: '2026-08-14' },
    },
    { transport: 'websocket', path: '/nowhere', status: 404, outcome: 'completed', query: {} },
  ]);
});

test('a fault can hit an upgrade before it is accepted', async (t) => {
  const simulator = await simulatorFor(t);
  const cases: readonly [action: FaultAction, answer: { text: string | RegExp; end: string }, outcome: string][] = [
    [{ type: 'refuse' }, { text: '', end: 'ECONNRESET' }, 'faulted'],
    [{ type: 'reset', afterBodyBytes: 0 }, { text: '', end: 'ECONNRESET' }, 'faulted'],
    [{ type: 'half_close', at: 'before_headers' }, { text: '', end: 'FIN' }, 'faulted'],
    [
      { type: 'half_close', at: 'inside_headers' },
      { text: /^HTTP\/1.1 101 [^\r]*\r\nUpgrade: webso$/, end: 'FIN' },
      'faulted',
    ],
    [{ type: 'garbage', bytes: '\x00\x01' }, { text: '\x00\x01', end: 'FIN' }, 'faulted'],
    [
      { type: 'answer', status: 429, code: 'concurrency_limited', retryAfter: 3 },
      { text: /^HTTP\/1.1 429 Too Many Requests\r\n(.*\r\n)*retry-after: 3\r\n/, end: 'FIN' },
      'completed',
    ],
    [
      { type: 'redirect', location: 'http://elsewhere/' },
      { text: /^HTTP\/1.1 307 Temporary Redirect\r\n(.*\r\n)*location: http:\/\/elsewhere\/\r\n/, end: 'FIN' },
      'completed',
    ],
  ];
  for (const [action, answer, outcome] of cases) {
    simulator.faults.add({ match: { path: '/tts/websocket' }, times: 1, action });
    t.match(await exchange(simulator, upgradeHead('/tts/websocket')), answer, action.type);
    t.equal(simulator.journal.entries().at(-1)?.outcome, outcome, action.type);
  }
});

test('an upgrade can hang until the client leaves', async (t) => {
  const simulator = await simulatorFor(t);
  simulator.faults.add({ match: {}, action: { type: 'hang' } });
  const abort = new AbortController();
  const { host } = new URL(simulator.url);
  const [name = '', port = ''] = host.split(':');
  const { connect } = await import('node:net');
  const socket = connect({ host: name, port: Number(port), signal: abort.signal }).on('error', () => {});
  socket.write(upgradeHead('/tts/websocket'));
  t.equal((await simulator.journal.waitFor({ path: '/tts/websocket' }, () => true)).outcome, 'open');
  socket.destroy();
  t.equal((await simulator.journal.waitFor({ path: '/tts/websocket' })).outcome, 'aborted');
});

test('an upgrade can be answered late', async (t) => {
  const simulator = await simulatorFor(t);
  simulator.faults.add({ match: {}, times: 1, action: { type: 'delay', ms: 30 } });
  const began = performance.now();
  t.match((await exchange(simulator, upgradeHead('/nowhere'))).text, /^HTTP\/1.1 404 /);
  t.ok(performance.now() - began >= 29);
});

test('faults that shape ordinary responses leave upgrades alone', async (t) => {
  const simulator = await simulatorFor(t);
  const shaping: readonly FaultAction[] = [
    { type: 'drip', part: 'body', intervalMs: 1 },
    { type: 'big_header', bytes: 10 },
    { type: 'truncate_events', afterEvents: 0 },
  ];
  for (const action of shaping) {
    simulator.faults.add({ match: {}, times: 1, action });
    t.match((await exchange(simulator, upgradeHead('/nowhere'))).text, /^HTTP\/1.1 404 /, action.type);
  }
});

test('a faulty handshake is refused like any other upgrade', async (t) => {
  const simulator = await simulatorFor(t);
  const fields = { authorization: `Bearer ${simulator.apiKey}`, 'cartesia-version': '2026-08-14' };
  for (const fault of [{ 'sec-websocket-key': 'short' }, { 'sec-websocket-version': '12' }]) {
    const { text, end } = await exchange(simulator, upgradeHead('/tts/websocket', { ...fields, ...fault }));
    const [headers = '', body = ''] = text.split('\r\n\r\n');
    t.match(headers, /^HTTP\/1.1 400 Bad Request\r\n(.*\r\n)*sec-websocket-version: 13, 8\r\n/);
    t.match(JSON.parse(body), { error_code: null, title: 'Invalid request', message: /Sec-WebSocket-/ });
    t.equal(end, 'FIN');
  }
  t.match(simulator.journal.entries(), [
    { status: 400, outcome: 'completed' },
    { status: 400, outcome: 'completed' },
  ]);
  while (simulator.counters().ttsSockets.active > 0) await new Promise(setImmediate);
});

test('a client that offers HTTP/2, as those of Java and curl do, is answered over HTTP/1.1', async (t) => {
  const simulator = await simulatorFor(t);
  const body = '{"grants":{"tts":true},"expires_in":60}';
  const offer = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAARAAAAAAAIAAAAA' };
  const fields = { ...offer, authorization: `Bearer ${simulator.apiKey}`, 'content-length': String(body.length) };
  const minted = await exchange(simulator, head('POST', '/access-token', fields) + body, {
    onData: (socket) => socket.end(),
  });
  t.match(minted.text, /^HTTP\/1.1 200 OK\r\n(.*\r\n)*\r\n\{"token":"/);
  t.match(simulator.journal.entries(), [{ transport: 'http', path: '/access-token', body, status: 200 }]);
});

test('no subprotocol is agreed to', async (t) => {
  const simulator = await simulatorFor(t);
  const fields = { authorization: `Bearer ${simulator.apiKey}`, 'sec-websocket-protocol': 'chat, voice' };
  const { text } = await exchange(simulator, upgradeHead('/tts/websocket', fields), {
    onData: (socket) => socket.end(),
  });
  t.match(text, /^HTTP\/1.1 101 /);
  t.notMatch(text, /sec-websocket-protocol/i);
});
