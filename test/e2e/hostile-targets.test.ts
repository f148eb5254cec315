// Targets that another parser might take for /access-token: refused, never normalized.
import { test } from 'tap';
import { makeCanary } from '../canary/canary.ts';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';
import { startRunningBroker } from './running-broker.ts';

const REFUSED: readonly [target: string, status: 400 | 404][] = [
  ['//access-token', 400],
  ['/access-token/', 404],
  ['/access-token//', 400],
  ['/access-token//x', 400],
  ['/x/../access-token', 400],
  ['/../access-token', 400],
  ['/./access-token', 400],
  ['/access-token/.', 400],
  ['/x/%2e%2e/access-token', 400],
  ['/%2e%2e/access-token', 400],
  ['/access%2dtoken', 400],
  ['/access%252dtoken', 400],
  ['/%61ccess-token', 400],
  ['%2faccess-token', 400],
  ['/access-token;a=b', 400],
  ['/;a=b/access-token', 400],
  ['/access-token%00', 400],
  ['/access-token%zz', 400],
  ['/access-token%', 400],
  ['/access-token%20', 400],
  ['/access-token#x', 400],
  ['\\access-token', 400],
  ['/x\\..\\access-token', 400],
  ['/ACCESS-TOKEN', 404],
  ['/Access-Token', 404],
  ['/access-token.json', 404],
  ['/access_token', 404],
  ['/v1/access-token', 404],
  ['access-token', 400],
  ['?', 400],
  ['*', 400],
  [`/${'a'.repeat(9 * 1024)}`, 400],
  [`/access-token?${'a'.repeat(9 * 1024)}`, 400],
  [`/access-token?${'a=b&'.repeat(1000)}`, 400],
  [`/access-token?${'&'.repeat(1000)}`, 400],
];

test('an ambiguous or unknown target is 400 or 404, with a credential and without', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t);
  for (const [target, status] of REFUSED) {
    for (const credential of [appKey, null]) {
      const connection = await openRaw(t, broker.url);
      connection.send(mintBytes({ target, credential }));
      const response = await connection.response();
      const name = `${target.slice(0, 40)}${credential === null ? ' without a credential' : ''}`;
      isProblem(t, response, status === 404 ? 'not_found' : 'invalid_request', name);
      t.notOk(response.body.includes('access'), `${name}: the target is not repeated`);
      connection.socket.destroy();
    }
  }
  t.strictSame(simulator.journal.entries(), [], 'Cartesia was not asked');
});

test('other methods of the route do not exist, and reveal nothing', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t);
  for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'PURGE']) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ method, credential: appKey }));
    const response = await connection.response({ isHead: method === 'HEAD' });
    if (method === 'HEAD') t.match(response, { status: 404, body: '' });
    else isProblem(t, response, 'not_found', method);
    connection.socket.destroy();
  }
  t.strictSame(simulator.journal.entries(), []);
});

test('QUERY without a body is not found rather than an internal error', async (t) => {
  const { broker } = await startRunningBroker(t);
  for (const target of ['/access-token', '/', '/nothing']) {
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ method: 'QUERY', target, credential: null, contentType: '', framing: [], body: '' }));
    isProblem(t, await connection.response(), 'not_found', target);
    connection.socket.destroy();
  }
});

test('a path without a route is not found, whatever its body', async (t) => {
  const { broker } = await startRunningBroker(t);
  for (const body of ['{', `{"a":"${'x'.repeat(20_000)}"}`, '{"a":1,"a":2}']) {
    for (const url of [broker.url, broker.managementUrl]) {
      const connection = await openRaw(t, url);
      connection.send(mintBytes({ target: '/nothing', credential: null, body }));
      isProblem(t, await connection.response(), 'not_found', `${url} ${body.slice(0, 9)}`);
      connection.socket.destroy();
    }
  }
});

test('monitors may send HEAD to public paths', async (t) => {
  const { broker } = await startRunningBroker(t);
  const paths = ['/livez', '/readyz'];
  for (const [url, more] of [
    [broker.url, ['/', '/docs', '/openapi.json']],
    [broker.managementUrl, ['/metrics']],
  ] as const) {
    for (const path of [...paths, ...more]) {
      const connection = await openRaw(t, url);
      connection.send(`HEAD ${path} HTTP/1.1\r\nHost: broker\r\n\r\n`);
      t.match(await connection.response({ isHead: true }), { status: 200, body: '' }, path);
      connection.socket.destroy();
    }
  }
});

test('a method cannot be chosen by a header', async (t) => {
  const { broker, appKey } = await startRunningBroker(t);
  const connection = await openRaw(t, broker.url);
  connection.send(
    mintBytes({
      method: 'GET',
      credential: appKey,
      fields: ['X-HTTP-Method-Override: POST', 'X-Original-URL: /livez'],
    }),
  );
  isProblem(t, await connection.response(), 'not_found');
});

test('a query at the limits is served, and its contents stay here', async (t) => {
  const { broker, simulator, appKey, logText } = await startRunningBroker(t);
  for (const query of [
    '',
    'a=b&'.repeat(199),
    'cartesia_version=1999-01-01&expires_in=1',
    'a=%zz&b=%00&c=%2e%2e&__proto__=x',
  ]) {
    simulator.journal.clear();
    const connection = await openRaw(t, broker.url);
    connection.send(mintBytes({ target: `/access-token?${query}`, credential: appKey }));
    const { status, json } = await connection.response();
    t.equal(status, 200, query);
    t.equal(json['expires_in'], 300, 'the body decides');
    t.match(simulator.journal.entries(), [{ url: '/access-token', headers: { 'cartesia-version': '2026-03-01' } }]);
  }
  t.notOk(logText().includes('1999-01-01'));
});

test('a secret in the query of a 400, 401, 404, 408, 417 or 431 appears nowhere afterwards', async (t) => {
  const { broker, simulator, appKey, watch, logs } = await startRunningBroker(t, {
    seams: { timeouts: { headersMs: 200, requestMs: 300, checkMs: 20 } },
  });
  const secret = makeCanary('secret in a query');
  watch.add(secret);
  const query = `?token=${secret.value}&api_key=${secret.value}&${secret.value}`;
  const requests: readonly [string, number][] = [
    [mintBytes({ target: `/access-token;${query}`, credential: appKey }), 400],
    [mintBytes({ target: `/access-token${query}`, credential: appKey, fields: ['Host: b'] }), 400],
    [mintBytes({ target: `/access-token${query}`, credential: appKey, body: '{' }), 400],
    [mintBytes({ target: `/access-token${query}`, credential: appKey, version: 'HTTP/1.7' }), 400],
    [mintBytes({ target: `/access-token${query}`, credential: null }), 401],
    [mintBytes({ target: `/nothing${query}`, credential: appKey }), 404],
    [mintBytes({ target: `/nothing/${secret.value}`, credential: appKey }), 404],
    [mintBytes({ target: `/access-token${query}`, credential: appKey, framing: ['Content-Length: 9'] }), 408],
    [mintBytes({ target: `/access-token${query}`, credential: appKey, fields: [`Expect: ${secret.value}`] }), 417],
    [mintBytes({ target: `/access-token${query}`, credential: appKey, fields: [`X: ${'a'.repeat(17_000)}`] }), 431],
    [
      mintBytes({ target: `/access-token${query}`, credential: appKey, fields: Array(100).fill(`X: ${secret.value}`) }),
      431,
    ],
  ];
  for (const [bytes, status] of requests) {
    const connection = await openRaw(t, broker.url);
    connection.send(bytes);
    t.equal((await connection.response()).status, status);
    connection.socket.destroy();
  }
  t.equal(logs.length, requests.length, 'each left its log line');
  t.strictSame(simulator.journal.entries(), []);
  t.strictSame(watch.leaks(), []);
});
