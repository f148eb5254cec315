// Faults of Cartesia as a caller of the whole broker sees them: the status it gets, and what it must never see.
import { type Test, test } from 'tap';
import { request } from 'undici';
import { createCertificate } from '../../src/simulator/certificate.ts';
import type { FaultAction } from '../../src/simulator/faults.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { mintBytes } from './mint-bytes.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw, type RawResponse } from './raw-connection.ts';
import { type RunningBroker, startRunningBroker } from './running-broker.ts';

/** The shortest total timeout for a mint that can be configured. */
const TIMEOUT_SECONDS = 1;
const file = () => ({ upstream: { timeout: TIMEOUT_SECONDS } });

async function mint(
  t: Test,
  { broker, appKey: credential }: RunningBroker,
): Promise<RawResponse & { readonly ms: number }> {
  const connection = await openRaw(t, broker.url);
  const start = performance.now();
  connection.send(mintBytes({ credential }));
  const response = await connection.response({ withinMs: 5000 });
  t.not(response.headers['connection'], 'close', 'a fault of upstream does not close this connection');
  connection.socket.destroy();
  return { ...response, ms: performance.now() - start };
}

const UNAVAILABLE: readonly [string, FaultAction][] = [
  ['RST when it accepts', { type: 'refuse', at: 'accept' }],
  ['RST when it has the request', { type: 'refuse', at: 'request' }],
  ['RST inside the body', { type: 'reset', afterBodyBytes: 10 }],
  ['FIN before the head', { type: 'half_close', at: 'before_headers' }],
  ['FIN inside the head', { type: 'half_close', at: 'inside_headers' }],
  ['FIN inside the body', { type: 'half_close', at: 'body', afterBodyBytes: 10 }],
  ['garbage', { type: 'garbage', bytes: 'nobody speaks like this\r\n\r\n' }],
  ['a bad status line', { type: 'garbage', bytes: 'HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n' }],
  ['two lengths', { type: 'garbage', bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ' }],
  [
    'a length and chunks',
    {
      type: 'garbage',
      bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    },
  ],
  ['bare LF', { type: 'garbage', bytes: 'HTTP/1.1 200 OK\nContent-Length: 2\n\n{}' }],
  ['a head of 20 KB', { type: 'big_header', bytes: 20_000 }],
  ['no token in a 200', { type: 'answer', status: 200, body: '{"ok":true}' }],
  ['HTML in a 200', { type: 'answer', status: 200, html: true }],
  ['500 as JSON', { type: 'answer', status: 500 }],
  ['503 as HTML', { type: 'answer', status: 503, html: true }],
];

test('unreachable or broken: 502, and nothing from upstream is passed on', async (t) => {
  for (const [name, action] of UNAVAILABLE) {
    await t.test(name, async (t) => {
      const running = await startRunningBroker(t, { file });
      running.simulator.faults.add({ match: {}, action });
      isProblem(t, await mint(t, running), 'upstream_unavailable');
      t.match(
        running.logs.find((line) => line['msg'] === 'request'),
        { outcome: 'upstream_unavailable', status: 502 },
      );
    });
  }
});

test('Cartesia is down: 502 at once', async (t) => {
  const running = await startRunningBroker(t, { file });
  t.equal((await mint(t, running)).status, 200);
  await running.simulator.close();
  const response = await mint(t, running);
  isProblem(t, response, 'upstream_unavailable');
  t.ok(response.ms < 500, `after ${response.ms} ms`);
});

test('silent or dripping: 504 at the deadline', async (t) => {
  const slow: readonly [string, FaultAction][] = [
    ['accepts, silent', { type: 'hang', at: 'accept' }],
    ['reads, silent', { type: 'hang', at: 'request' }],
    ['answers too late', { type: 'delay', ms: 3000 }],
    ['headers in drips', { type: 'drip', part: 'headers', intervalMs: 100 }],
    ['body in drips', { type: 'drip', part: 'body', intervalMs: 100 }],
  ];
  await Promise.all(
    slow.map(([name, action]) =>
      t.test(name, async (t) => {
        const running = await startRunningBroker(t, { file });
        running.simulator.faults.add({ match: {}, action });
        const response = await mint(t, running);
        isProblem(t, response, 'upstream_timeout');
        t.ok(
          response.ms > TIMEOUT_SECONDS * 1000 - 100 && response.ms < TIMEOUT_SECONDS * 1000 + 1000,
          `${response.ms} ms`,
        );
      }),
    ),
  );
});

test('a redirect is not followed: the other host sees nothing', async (t) => {
  const other = await startSimulator({ tlsPort: null });
  t.teardown(() => other.close());
  for (const status of [301, 302, 303, 307, 308]) {
    const running = await startRunningBroker(t, { file });
    running.simulator.faults.add({
      match: {},
      action: { type: 'redirect', status, location: `${other.url}/access-token` },
    });
    const { json } = await mint(t, running);
    t.match(json, { error_code: /^upstream_(unavailable|rejected)$/ }, String(status));
  }
  t.strictSame(other.journal.entries(), []);
  t.equal(other.counters().openConnections, 0);
});

test('our key is refused: 502 and an alarm, never 401, and the key appears nowhere', async (t) => {
  for (const status of [401, 403]) {
    const running = await startRunningBroker(t, { file });
    running.simulator.faults.add({ match: {}, action: { type: 'answer', status, echoAuthorization: true } });
    const response = await mint(t, running);
    isProblem(t, response, 'upstream_rejected');
    t.equal(response.headers['www-authenticate'], undefined);
    t.match(await running.broker.metrics.registry.metrics(), /broker_upstream_key_rejected_total 1/);
  }
});

test('an upstream that repeats our Authorization in body, header and reason phrase reveals it to nobody', async (t) => {
  for (const status of [200, 400, 402, 403, 404, 409, 422, 429, 500, 503]) {
    for (const html of [false, true]) {
      const running = await startRunningBroker(t, { file });
      const { simulator, watch } = running;
      simulator.faults.add({
        match: {},
        action: {
          type: 'answer',
          status,
          html,
          echoAuthorization: true,
          headers: { 'x-request-id': simulator.apiKey, 'retry-after': simulator.apiKey },
        },
      });
      const { status: answered } = await mint(t, running);
      t.ok(answered >= 400);
      t.strictSame(watch.leaks(), [], `${status}`);
    }
  }
  const running = await startRunningBroker(t, { file });
  const { simulator, watch } = running;
  const key = simulator.apiKey;
  for (const bytes of [
    `HTTP/1.1 401 Bearer ${key}\r\nContent-Length: 0\r\n\r\n`,
    `HTTP/1.1 500 ${key}\r\n${key}: ${key}\r\nContent-Length: ${key.length}\r\n\r\n${key}`,
    `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${key.length + 12}\r\n\r\n{"token":"${key}"}`,
    `${key}\r\n\r\n`,
    `HTTP/1.1 200 ${key}\r\nContent-Length: x${key}\r\n\r\n`,
  ]) {
    const fault = simulator.faults.add({ match: {}, action: { type: 'garbage', bytes } });
    t.ok((await mint(t, running)).status >= 500);
    fault.remove();
  }
  t.strictSame(watch.leaks(), []);
});

test('a 429 from Cartesia stays a 429, with a bounded Retry-After, or a default if it has none', async (t) => {
  for (const [retryAfter, expected] of [
    [7, '7'],
    [3600, '60'],
    ['never', '1'],
    [undefined, '1'],
  ] as const) {
    const running = await startRunningBroker(t, { file });
    const action = { type: 'answer', status: 429, ...(retryAfter === undefined ? {} : { retryAfter }) } as const;
    running.simulator.faults.add({ match: {}, action });
    const { status, headers, json } = await mint(t, running);
    t.equal(status, 429);
    t.equal(json['source'], 'upstream');
    t.equal(headers['retry-after'], expected, `${retryAfter}`);
  }
});

test('an untrusted certificate: 502, and the key was not sent', async (t) => {
  const day = 86_400_000;
  const expired = createCertificate(Date.now() - 500 * day);
  const directory = t.testdir({ 'ca.pem': expired.cert, 'right.pem': createCertificate(Date.now()).cert });
  for (const [name, tls, caFile] of [
    ['self-signed', createCertificate(Date.now()), undefined],
    ['expired', expired, `${directory}/ca.pem`],
    ["another authority's", createCertificate(Date.now()), `${directory}/right.pem`],
  ] as const) {
    await t.test(name, async (t) => {
      const running = await startRunningBroker(t, {
        simulator: { tlsPort: 0, tls },
        env: (simulator) => ({ CARTESIA_BASE_URL: simulator.tlsUrl, CARTESIA_ALLOW_INSECURE: undefined }),
        file: () => ({ upstream: { timeout: 2, ...(caFile === undefined ? {} : { ca_file: caFile }) } }),
      });
      isProblem(t, await mint(t, running), 'upstream_unavailable');
      t.strictSame(running.simulator.journal.entries(), []);
    });
  }

  await t.test('the control: a trusted one', async (t) => {
    const tls = createCertificate(Date.now());
    const trusted = t.testdir({ 'ca.pem': tls.cert });
    const running = await startRunningBroker(t, {
      simulator: { tlsPort: 0, tls },
      env: (simulator) => ({ CARTESIA_BASE_URL: simulator.tlsUrl, CARTESIA_ALLOW_INSECURE: undefined }),
      file: () => ({ upstream: { ca_file: `${trusted}/ca.pem` } }),
    });
    t.equal((await mint(t, running)).status, 200);
    t.ok(running.simulator.journal.entries().every(({ secure }) => secure));
  });
});

test('once Cartesia works again, mints succeed', async (t) => {
  const running = await startRunningBroker(t, { file });
  const fault = running.simulator.faults.add({ match: {}, action: { type: 'refuse', at: 'request' } });
  isProblem(t, await mint(t, running), 'upstream_unavailable');
  fault.remove();
  t.equal((await mint(t, running)).status, 200);
  const { statusCode, body } = await request(`${running.broker.managementUrl}/readyz`);
  t.equal(statusCode, 200);
  await body.dump();
});
