// Positive controls for the harness itself: a leak through any channel of a running broker is seen and fails its test.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { request } from 'undici';
import { openRaw } from '../e2e/raw-connection.ts';
import { startRunningBroker } from '../e2e/running-broker.ts';
import { makeCanary } from './canary.ts';
import { OutputWatch } from './output-watch.ts';

test('a secret is reported with its source, its form and the text before it', async (t) => {
  const watch = new OutputWatch();
  const secret = makeCanary('app key');
  watch.add(secret);
  watch.record('log', 'nothing to see');
  t.strictSame(watch.leaks(), []);
  t.doesNotThrow(() => watch.assertClean());
  watch.record('log', `{"key":"${Buffer.from(secret.value).toString('hex')}`);
  t.match(watch.leaks(), [{ canary: 'app key', source: 'log', forms: ['hex'] }]);
  t.throws(() => watch.assertClean(), /app key in log \(hex\)/);
});

test('a secret split across two writes is still found', async (t) => {
  const watch = new OutputWatch();
  const secret = makeCanary('app key');
  watch.add(secret);
  watch.record('log', secret.value.slice(0, 10));
  watch.record('log', secret.value.slice(10, 20));
  t.equal(watch.leaks().length, 1);
});

test('a minted token may appear in the answer that hands it out, and nowhere else', async (t) => {
  const watch = new OutputWatch();
  const { value: token } = makeCanary('token');
  const answer = `HTTP/1.1 200 OK\r\n\r\n{"token":"${token}","expires_in":60}`;
  watch.recordAnswer('answers', Buffer.from(answer));
  t.strictSame(watch.leaks(), []);
  watch.record('log', `minted ${token}`);
  t.match(watch.leaks(), [{ canary: 'minted token', source: 'log' }]);
  const twice = new OutputWatch();
  twice.recordAnswer('answers', Buffer.from(`x-debug: ${token}\r\n${answer}`));
  t.match(twice.leaks(), [{ canary: 'minted token', source: 'answers' }]);
});

test('the answers of both listeners are recorded, including those of Node and of the parser', async (t) => {
  for (const tls of [false, true]) {
    const { broker, watch, certificate } = await startRunningBroker(t, { tls });
    t.equal(watch.sizes()['answers'], undefined);
    const said: string[] = [];
    const before = (): number => watch.sizes()['answers'] ?? 0;
    if (!tls) {
      const connection = await openRaw(t, broker.url);
      connection.send('GET / HTTP/9.9\r\n\r\n');
      const { body } = await connection.response();
      said.push(body);
      t.ok(before() > body.length, 'an answer of the parser');
    }
    const size = before();
    const { statusCode, body } = await request(`${broker.managementUrl}/readyz`);
    t.equal(statusCode, 200);
    t.ok(before() > size + (await body.text()).length, 'an answer of the management listener');
    if (certificate !== null) {
      const { Agent } = await import('undici');
      const dispatcher = new Agent({ connect: { ca: certificate.pem } });
      const answer = await request(`${broker.url.replace('127.0.0.1', 'localhost')}/livez`, { dispatcher });
      const text = await answer.body.text();
      await dispatcher.close();
      t.ok(before() > size + text.length, 'an answer over TLS');
    }
  }
});

test('a test whose broker leaks fails', async (t) => {
  const control = fileURLToPath(new URL('leaking-control.ts', import.meta.url));
  for (const [where, expected] of [
    ['nothing', 0],
    ['log', 1],
    ['answers', 1],
  ] as const) {
    const { status, stdout } = spawnSync(process.execPath, [control, where], { encoding: 'utf8' });
    t.equal(status, expected, where);
    if (expected === 1) t.match(stdout, `app key in ${where}`);
  }
});
