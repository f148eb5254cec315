import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Test, test } from 'tap';
import { runHealthcheck } from '../../src/commands/healthcheck.ts';
import { runServe } from '../../src/commands/serve.ts';
import { LEAST } from '../config/loading.ts';
import { capturedIo } from './captured-io.ts';

/** Starts a management listener with these answers; returns its port. */
async function managementListener(t: Test, host: string, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, host);
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return String((server.address() as AddressInfo).port); // a TCP server has a port
}

test('alive: 0, on any address of the listener', async (t) => {
  for (const [listens, setting] of [
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '0.0.0.0'],
    ['::1', '::'],
  ] as const) {
    const asked: string[] = [];
    const port = await managementListener(t, listens, (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.end('{}');
    });
    const io = capturedIo({ ...LEAST, MANAGEMENT_HOST: setting, MANAGEMENT_PORT: port });
    t.equal(await runHealthcheck([], io), 0, setting);
    t.strictSame(io.written, { stdout: 'alive\n', stderr: '' });
    t.strictSame(asked, ['GET /livez']);
  }
});

test('any other answer: 1', async (t) => {
  const port = await managementListener(t, '127.0.0.1', (_request, response) => response.writeHead(503).end());
  const io = capturedIo({ ...LEAST, MANAGEMENT_PORT: port });
  t.equal(await runHealthcheck([], io), 1);
  t.strictSame(io.written, { stdout: '', stderr: 'answered 503\n' });
});

test('no answer in time: 1', async (t) => {
  const port = await managementListener(t, '127.0.0.1', () => {});
  const io = capturedIo({ ...LEAST, MANAGEMENT_PORT: port });
  t.equal(await runHealthcheck([], io, 20), 1);
  t.equal(io.written.stderr, 'no answer within 20 ms\n');
});

test('nothing listens: 1', async (t) => {
  const io = capturedIo({ ...LEAST, MANAGEMENT_PORT: '1' });
  t.equal(await runHealthcheck([], io), 1);
  t.equal(io.written.stderr, 'not reached: ECONNREFUSED\n');
});

test('alive: 0, even if files named in the settings are missing', async (t) => {
  const port = await managementListener(t, '127.0.0.1', (_request, response) => response.end('{}'));
  const io = capturedIo({ CARTESIA_API_KEY_FILE: '/none', BROKER_CONFIG: '/none', PORT: 'x', MANAGEMENT_PORT: port });
  t.equal(await runHealthcheck([], io), 0);
  t.strictSame(io.written, { stdout: 'alive\n', stderr: '' });
  const elsewhere = capturedIo({ BROKER_CONFIG: '/none', MANAGEMENT_PORT: '1' });
  t.equal(await runHealthcheck([], elsewhere), 1);
  t.equal(
    elsewhere.written.stderr,
    'BROKER_CONFIG: cannot read /none: there is no such file\nnot reached: ECONNREFUSED\n',
    'why it may have asked the wrong address',
  );
});

test('help: 0', async (t) => {
  for (const argument of ['--help', '-h'])
    for (const [run, usage] of [
      [runHealthcheck, 'Usage: cartesia-broker healthcheck'],
      [runServe, 'Usage: cartesia-broker serve'],
    ] as const) {
      const io = capturedIo({});
      t.equal(await run([argument], io), 0);
      t.match(io.written, { stdout: usage, stderr: '' });
    }
});

test('an impossible address, or an argument: 2', async (t) => {
  const broken = capturedIo({ ...LEAST, MANAGEMENT_PORT: 'secret-by-mistake' });
  t.equal(await runHealthcheck([], broken), 2);
  t.match(broken.written.stderr, 'MANAGEMENT_PORT');
  t.notMatch(broken.written.stderr, 'secret-by-mistake');
  const surplus = capturedIo(LEAST);
  t.equal(await runHealthcheck(['now'], surplus), 2);
  t.match(surplus.written.stderr, 'Usage: cartesia-broker healthcheck');
});
