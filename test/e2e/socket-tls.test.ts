// TLS on both sides: upstream's certificate is verified against the operator's authorities, and large audio arrives byte for byte.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import tls, { createServer } from 'node:tls';
import { type Test, test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { createAuthority } from '../upstream/certificates.ts';
import { frameOf, openRawSocket } from './raw-socket.ts';
import { clientOf, logged, STT_PATH, speech, startSocketBroker } from './socket-broker.ts';

/** A Cartesia over TLS. @param speak called for each speech request. @returns its URL, and its certificate as a file and as text */
async function startSpeaker(t: Test, speak: (socket: WebSocket, raw: Duplex) => void) {
  const identity = createCertificate(Date.now());
  const directory = t.testdir({ 'ca.pem': identity.cert, 'tls.crt': identity.cert, 'tls.key': identity.key });
  const upstream = createServer({ cert: identity.cert, key: identity.key });
  const sockets = new WebSocketServer({ noServer: true });
  const http = createHttpServer();
  http.on('upgrade', (request, raw, head) =>
    sockets.handleUpgrade(request, raw, head, (socket) => socket.on('message', () => speak(socket, raw))),
  );
  upstream.on('secureConnection', (socket) => http.emit('connection', socket));
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    for (const one of sockets.clients) one.terminate();
    upstream.close();
  });
  const address = upstream.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { url: `https://localhost:${port}`, caFile: join(directory, 'ca.pem'), directory, cert: identity.cert };
}

for (const [leg, messages] of [
  ['over TLS', 400],
  ['in the clear', 60], // all of it is searched for secrets
] as const) {
  test(`speech over TLS, to a client ${leg} that pauses: nothing is lost, changed or reordered`, async (t) => {
    const sent = createHash('sha256');
    const { url, caFile, directory, cert } = await startSpeaker(t, (socket) => {
      for (let n = 0; n < messages; n += 1) {
        // Below, at and above the size that is inspected in one piece.
        const numbers = n % 40 === 39 ? 32_000 : 150 + ((n * 7919) % 10_000);
        const text = JSON.stringify({ type: 'chunk', data: countTo(numbers), n });
        sent.update(text);
        socket.send(text);
      }
      socket.send(JSON.stringify({ type: 'done', done: true, context_id: 'a' }));
    });
    const own =
      leg === 'over TLS'
        ? { TLS_CERT_FILE: join(directory, 'tls.crt'), TLS_KEY_FILE: join(directory, 'tls.key') }
        : { TLS_CERT_FILE: undefined, TLS_KEY_FILE: undefined };
    const { broker, appKey } = await startSocketBroker(t, {
      file: (digest) => ({ ...clientOf(digest), upstream: { ca_file: caFile } }),
      env: { CARTESIA_BASE_URL: url, CARTESIA_ALLOW_INSECURE: undefined, ...own },
    });
    const client = new WebSocket(`${broker.url.replace('http', 'ws')}/tts/websocket`, {
      ca: cert,
      headers: { authorization: `Bearer ${appKey}` },
    });
    t.teardown(() => client.terminate());
    await once(client, 'open');
    const heard = createHash('sha256');
    let count = 0;
    const { promise: done, resolve } = Promise.withResolvers<void>();
    client.on('message', (message: Buffer) => {
      const text = message.toString('utf8');
      if (text.includes('"done"')) {
        resolve();
        return;
      }
      count += 1;
      heard.update(text);
      if (count % 15 !== 0) return;
      client.pause();
      setTimeout(() => client.resume(), 30);
    });
    client.send(speech('a', 'Hello.'));
    await done;
    t.equal(count, messages);
    t.equal(heard.digest('hex'), sent.digest('hex'));
    client.close(1000);
    const [code] = await once(client, 'close');
    t.equal(code, 1000);
  });
}

test('data sent right before an upstream over TLS ends arrives before the error', async (t) => {
  const count = 5;
  const { url, caFile } = await startSpeaker(t, (socket, raw) => {
    for (let n = 0; n < count; n += 1) {
      socket.send(JSON.stringify({ type: 'chunk', data: randomBytes(6000).toString('base64'), context_id: 'a', n }));
    }
    raw.end();
  });
  const { broker, headers } = await startSocketBroker(t, {
    file: (digest) => ({ ...clientOf(digest), upstream: { ca_file: caFile } }),
    env: { CARTESIA_BASE_URL: url, CARTESIA_ALLOW_INSECURE: undefined },
  });
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.send(frameOf(1, speech('a', 'Hello.')));
  for (let n = 0; n < count; n += 1) t.match(await socket.event(), { type: 'chunk', n });
  t.match(await socket.event(), { type: 'error', context_id: 'a', error_code: 'upstream_unavailable' });
  t.strictSame(await socket.closing(), { code: 1011, reason: 'upstream connection lost' });
});

/** About eight bytes a number, no two places alike, and nothing that could encode a secret, so that searching it is fast. */
function countTo(last: number): string {
  let text = '';
  for (let number = 0; number < last; number += 1) text += `${number} ! `;
  return text;
}

const HOUR_MS = 3_600_000;

test('an upstream with an untrusted certificate: the upgrade is refused with 502, and the key was not sent', async (t) => {
  const authority = await createAuthority();
  const stranger = await createAuthority('another authority');
  const directory = t.testdir({ 'ca.pem': authority.cert });
  const host = 'localhost';
  const past = { notBefore: new Date(Date.now() - 2 * HOUR_MS), notAfter: new Date(Date.now() - HOUR_MS) };
  for (const [name, identity, path, code] of [
    ['self-signed', createCertificate(Date.now()), '/tts/websocket', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ["another authority's", await stranger.issue({ host }), STT_PATH, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    [
      'for another name',
      await authority.issue({ host: 'other.test' }),
      '/tts/websocket',
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
    ['for its address only', await authority.issue({ host: '127.0.0.1' }), STT_PATH, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['expired', await authority.issue({ host, ...past }), '/agents/stream/agent_1', 'CERT_HAS_EXPIRED'],
    [
      'not valid yet',
      await authority.issue({ host, notBefore: new Date(Date.now() + HOUR_MS) }),
      '/tts/websocket',
      'CERT_NOT_YET_VALID',
    ],
    ['the control: a good one', await authority.issue({ host }), '/tts/websocket', null],
  ] as const) {
    await t.test(name, async (t) => {
      const running = await startSocketBroker(t, {
        simulator: { tlsPort: 0, tls: identity },
        env: ({ tlsUrl }) => ({ CARTESIA_BASE_URL: tlsUrl, CARTESIA_ALLOW_INSECURE: undefined }),
        file: (digest) => ({ ...clientOf(digest), upstream: { ca_file: join(directory, 'ca.pem') } }),
      });
      const { broker, headers, simulator } = running;
      const opening = openRawSocket(t, broker.url, path, headers);
      if (code === null) {
        await opening;
        t.strictSame(
          simulator.journal.entries().map(({ secure }) => secure),
          [true],
        );
        return;
      }
      await t.rejects(opening, /HTTP\/1.1 502 [\s\S]*"error_code":"upstream_unavailable"[\s\S]*"source":"broker"/);
      t.strictSame(simulator.journal.entries(), [], 'nothing was sent, neither over TLS nor in the clear');
      t.match(await logged(running, ({ msg }) => msg === 'request failed'), {
        level: 'warn',
        outcome: 'upstream_unavailable',
        err: { code },
      });
      await logged(
        running,
        ({ msg, status, outcome }) => msg === 'request' && status === 502 && outcome === 'upstream_unavailable',
      );
      const counted = await broker.metrics.registry.getSingleMetricAsString('broker_http_requests_total');
      t.match(counted, /status="502"[^\n]*} 1$/m);
    });
  }
});

test('if only public authorities are trusted: 502 too, and the TLS context is made once for all sockets', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t, {
    simulator: { tlsPort: 0 },
    env: ({ tlsUrl }) => ({ CARTESIA_BASE_URL: tlsUrl, CARTESIA_ALLOW_INSECURE: undefined }),
  });
  const made = t.capture(tls, 'createSecureContext', tls.createSecureContext);
  for (let n = 0; n < 2; n += 1) {
    await t.rejects(openRawSocket(t, broker.url, '/tts/websocket', headers), /HTTP\/1.1 502 /);
  }
  t.equal(made().length, 1);
  t.strictSame(simulator.journal.entries(), []);
});

test('an upstream that does not speak TLS: 502, and nothing but a ClientHello was sent', async (t) => {
  const answers: readonly [string, string][] = [
    ['HTTP in the clear', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
    ['a TLS alert', '\x15\x03\x01\x00\x02\x02\x28'],
    ['nothing but the end', ''],
  ];
  for (const [name, answer] of answers) {
    await t.test(name, async (t) => {
      const heard: Buffer[] = [];
      let connections = 0;
      const upstream = createTcpServer((socket) => {
        connections += 1;
        socket.on('error', () => {});
        socket.on('data', (bytes) => {
          heard.push(bytes);
          socket.end(answer, 'latin1');
        });
      });
      await once(upstream.listen(0, '127.0.0.1'), 'listening');
      t.teardown(() => upstream.close());
      const address = upstream.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const { broker, headers, simulator } = await startSocketBroker(t, {
        env: { CARTESIA_BASE_URL: `https://localhost:${port}` },
      });
      await t.rejects(
        openRawSocket(t, broker.url, '/tts/websocket', headers),
        /HTTP\/1.1 502 [\s\S]*"error_code":"upstream_unavailable"/,
      );
      const sent = Buffer.concat(heard);
      t.equal(sent[0], 0x16, 'a handshake record');
      t.notOk(sent.includes('GET ') || sent.includes(simulator.apiKey));
      t.equal(connections, 1, 'it was not retried');
    });
  }
});
