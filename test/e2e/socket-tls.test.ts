// TLS on both legs: the upstream's certificate is verified against the operator's authorities, and large audio arrives byte for byte.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { clientOf, speech, startSocketBroker } from './socket-broker.ts';

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
