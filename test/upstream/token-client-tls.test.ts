// Nothing is sent to an upstream that cannot prove its identity.
import { createServer } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { type Test, test } from 'tap';
import { createAuthority, createCertificate } from './certificates.ts';
import { API_KEY, clientUnderTest, problemOf, WISH } from './client-under-test.ts';
import { startRawUpstream, tokenAnswer } from './raw-upstream.ts';

const authority = await createAuthority();
const stranger = await createAuthority('another authority');

async function tlsUpstream(t: Test, tls: TlsOptions) {
  const upstream = await startRawUpstream(({ socket }) => socket.write(tokenAnswer('over.tls')), { tls });
  t.teardown(() => upstream.close());
  return upstream;
}

test('an upstream with a certificate from the operator’s authority is trusted, by name and by address', async (t) => {
  for (const host of ['localhost', '127.0.0.1']) {
    const upstream = await tlsUpstream(t, await authority.issue({ host }));
    const { client } = clientUnderTest(t, { baseUrl: `https://${host}:${upstream.port}`, authorities: authority.cert });
    t.equal((await client.mint(WISH)).token, 'over.tls', host);
    t.ok(upstream.received.includes(`Bearer ${API_KEY}`));
  }
});

const yesterday = new Date(Date.now() - 3_600_000);
const tomorrow = new Date(Date.now() + 3_600_000);

const REFUSED: Readonly<Record<string, () => Promise<TlsOptions>>> = {
  'a self-signed certificate': () => createCertificate({ host: 'localhost' }),
  'a certificate of an untrusted authority': () => stranger.issue({ host: 'localhost' }),
  'a certificate for another name': () => authority.issue({ host: 'other.test' }),
  'a certificate for another name, over TLS 1.2': async () => ({
    ...(await authority.issue({ host: 'other.test' })),
    maxVersion: 'TLSv1.2',
  }),
  'a certificate for an address instead of the name': () => authority.issue({ host: '127.0.0.1' }),
  'a certificate that has expired': () => authority.issue({ host: 'localhost', notAfter: yesterday }),
  'a certificate that is not valid yet': () => authority.issue({ host: 'localhost', notBefore: tomorrow }),
  'a TLS version that is too old': async () => ({
    ...(await authority.issue({ host: 'localhost' })),
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  }),
};

for (const [name, tls] of Object.entries(REFUSED)) {
  test(`${name}: 502, and the key was not sent`, async (t) => {
    const upstream = await tlsUpstream(t, await tls());
    const baseUrl = `https://localhost:${upstream.port}`;
    const { client, events } = clientUnderTest(t, { baseUrl, authorities: authority.cert, connections: 1 });
    // More than once, since a TLS session from a refused connection must not be resumed for the next one.
    for (let i = 0; i < 3; i++) {
      const problem = await problemOf(t, client.mint(WISH));
      t.equal(problem.code, 'upstream_unavailable');
      t.equal(problem.status, 502);
      t.match(problem.details.cause, { kind: 'tls' });
    }
    t.notOk(
      events.some(({ type }) => type === 'retry'),
      'retrying would not make a certificate valid',
    );
    t.equal(upstream.received, '');
  });
}

test('no connection resumes the TLS session of another', async (t) => {
  const identity = await authority.issue({ host: 'localhost' });
  const resumed: boolean[] = [];
  const upstream = await startRawUpstream(
    ({ socket }) => socket.end(tokenAnswer('over.tls', 'connection: close\r\n')),
    {
      tls: identity,
      onConnection: (socket) => resumed.push((socket as TLSSocket).isSessionReused()),
    },
  );
  t.teardown(() => upstream.close());
  const { client } = clientUnderTest(t, {
    baseUrl: `https://localhost:${upstream.port}`,
    authorities: authority.cert,
    connections: 1,
  });
  for (let mints = 0; mints < 3; mints += 1) await client.mint(WISH);
  t.strictSame(resumed, [false, false, false]);
});

test('the environment cannot switch the certificate check off', async (t) => {
  const upstream = await tlsUpstream(t, await createCertificate({ host: 'localhost' }));
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  t.teardown(() => {
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
  });
  for (const authorities of [null, authority.cert]) {
    const { client } = clientUnderTest(t, { baseUrl: `https://localhost:${upstream.port}`, authorities });
    t.match((await problemOf(t, client.mint(WISH))).details.cause, { kind: 'tls' });
  }
  t.equal(upstream.received, '');
});

test('without a CA file only public authorities count', async (t) => {
  const upstream = await tlsUpstream(t, await authority.issue({ host: 'localhost' }));
  const { client } = clientUnderTest(t, { baseUrl: `https://localhost:${upstream.port}` });
  t.match((await problemOf(t, client.mint(WISH))).details.cause, { kind: 'tls' });
  t.equal(upstream.received, '');
});

test('an upstream that does not speak TLS: 502', async (t) => {
  const upstream = await startRawUpstream(() => {}, {
    onConnection: (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
  });
  t.teardown(() => upstream.close());
  const { client } = clientUnderTest(t, { baseUrl: `https://localhost:${upstream.port}` });
  const problem = await problemOf(t, client.mint(WISH));
  t.equal(problem.code, 'upstream_unavailable');
  t.match(problem.details.cause, { kind: 'tls' });
  t.notMatch(upstream.received, /sk_car/);
});

test('an upstream that never answers the handshake: 504 at the deadline, and nothing is left behind', async (t) => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.on('error', () => {}).resume();
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const { client, events } = clientUnderTest(t, {
    baseUrl: `https://localhost:${port}`,
    connections: 1,
    deadlineMs: 400,
  });
  const startedAt = performance.now();
  const problem = await problemOf(t, client.mint(WISH));
  const tookMs = performance.now() - startedAt;
  t.equal(problem.code, 'upstream_timeout');
  t.ok(tookMs >= 390 && tookMs < 1_400, `after ${tookMs} ms`);
  t.match(events[0], { type: 'retry', kind: 'connect_timeout' }, 'at half the deadline a second one was tried');
  t.equal(connections, 2);
  const minting = problemOf(t, client.mint(WISH));
  await new Promise((resolve) => server.once('connection', resolve));
  await client.close();
  t.equal((await minting).code, 'draining');
  t.match(client.health, { running: 0, waiting: 0 });
  await new Promise((resolve) => server.close(resolve)); // completes only once its connections are gone
});
