// TLS on both legs: the upstream's certificate is verified against the operator's authorities, and large audio arrives byte for byte.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { createAuthority } from '../upstream/certificates.ts';
import { openRawSocket } from './raw-socket.ts';
import { clientOf, logged, STT_PATH, speech, startSocketBroker } from './socket-broker.ts';

const MESSAGES = 400;

test('speech over TLS on both legs, also for a reader that pauses', async (t) => {
  const identity = createCertificate(Date.now());
  const directory = t.testdir({ 'ca.pem': identity.cert, 'tls.crt': identity.cert, 'tls.key': identity.key });
  const upstream = createServer({ cert: identity.cert, key: identity.key });
  const sockets = new WebSocketServer({ noServer: true });
  const { createServer: createHttp } = await import('node:http');
  const http = createHttp();
  http.on('upgrade', (request, socket, head) =>
    sockets.handleUpgrade(request, socket, head, (one) => sockets.emit('connection', one)),
  );
  upstream.on('secureConnection', (socket) => http.emit('connection', socket));
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    for (const one of sockets.clients) one.terminate();
    upstream.close();
  });
  const sent = createHash('sha256');
  sockets.on('connection', (socket: WebSocket) => {
    socket.on('message', (message: Buffer) => {
      t.equal(JSON.parse(message.toString('utf8')).context_id, 'a');
      for (let n = 0; n < MESSAGES; n += 1) {
        // Below, at and above what is looked at in one piece.
        const text = JSON.stringify({
          type: 'chunk',
          data: randomBytes(1000 + ((n * 7919) % 60_000)).toString('base64'),
          n,
        });
        sent.update(text);
        socket.send(text);
      }
      socket.send(JSON.stringify({ type: 'done', done: true, context_id: 'a' }));
    });
  });
  const address = upstream.address();
  const port = typeof address === 'object' ? address?.port : 0;
  const { broker, appKey } = await startSocketBroker(t, {
    file: (digest) => ({ ...clientOf(digest), upstream: { ca_file: join(directory, 'ca.pem') } }),
    env: {
      CARTESIA_BASE_URL: `https://localhost:${port}`,
      CARTESIA_ALLOW_INSECURE: undefined,
      TLS_CERT_FILE: join(directory, 'tls.crt'),
      TLS_KEY_FILE: join(directory, 'tls.key'),
    },
  });
  const client = new WebSocket(`${broker.url.replace('http', 'ws')}/tts/websocket`, {
    ca: identity.cert,
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
    if (count % 50 !== 0) return;
    client.pause();
    setTimeout(() => client.resume(), 30);
  });
  client.send(speech('a', 'Hello.'));
  await done;
  t.equal(count, MESSAGES);
  t.equal(heard.digest('hex'), sent.digest('hex'));
  client.close(1000);
  const [code] = await once(client, 'close');
  t.equal(code, 1000);
});

const HOUR_MS = 3_600_000;

test('an upstream whose certificate is not to be trusted: the upgrade is refused with 502, and the key was not sent', async (t) => {
  const authority = await createAuthority();
  const stranger = await createAuthority('another authority');
  const directory = t.testdir({ 'ca.pem': authority.cert });
  const host = 'localhost';
  const past = { notBefore: new Date(Date.now() - 2 * HOUR_MS), notAfter: new Date(Date.now() - HOUR_MS) };
  for (const [name, tls, path, code] of [
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
        simulator: { tlsPort: 0, tls },
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

test('an upstream that does not speak TLS where it should: 502, and nothing but a ClientHello was sent', async (t) => {
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
      t.equal(connections, 1, 'it was not tried again');
    });
  }
});
