// What ends while the broker is still deciding whether to let a request in: the client's connection, or the broker itself.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { json, startIssuerServer } from '../identity/jwt/issuer-server.ts';
import { createSigningKey, goodClaims, signJwt } from '../identity/jwt/signing-key.ts';
import { redisServer } from '../store/redis-server.ts';
import { slowRelay } from '../store/slow-relay.ts';
import { send, until } from './carried-broker.ts';
import { handshake, openRawSocket } from './raw-socket.ts';
import { clientOf, STT_PATH, startSocketBroker } from './socket-broker.ts';

/** A broker whose users' tokens can only be checked once `publish` was called. */
async function setUp(t: Test, listen = {}, sockets = {}) {
  const issuer = await startIssuerServer();
  t.teardown(() => issuer.close());
  const key = createSigningKey();
  const { promise: published, resolve: publish } = Promise.withResolvers<void>();
  issuer.answer('/jwks', (_, response) => void published.then(() => json(response, { keys: [key.jwk] })));
  const jwt = [{ issuer: issuer.issuer, audience: 'voice', jwks_url: issuer.jwksUrl }];
  const running = await startSocketBroker(t, {
    file: () => ({
      clients: { web: { auth: { jwt }, grants: ['tts', 'stt'], delivery: 'proxied' } },
      upstream: { concurrency: { tts: 2, stt: 2 } },
      listen,
      sockets,
    }),
  });
  await issuer.asked('/jwks', 1);
  const signedBy = (one: typeof key): string => `Bearer ${signJwt(one, goodClaims(issuer.issuer))}`;
  return { ...running, publish, authorization: signedBy(key), forged: signedBy(createSigningKey()) };
}

async function connected(t: Test, url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const STOP = { delayMs: 0, idleGraceMs: 5 };

/** Sends a request, resets its connection while its token is being checked, and then lets the check end. */
async function resetWhileChecked(
  t: Test,
  { broker, logs, publish }: Awaited<ReturnType<typeof setUp>>,
  request: string,
): Promise<void> {
  const client = await connected(t, broker.url);
  client.write(request);
  await send(`${broker.url}/livez`); // by then it is being checked
  client.resetAndDestroy();
  await until(() => logs.find(({ outcome }) => outcome === 'aborted'), 'line of the request');
  publish();
  await until(() => logs.find(({ msg }) => msg === 'key set loaded'), 'line of the keys');
  await send(`${broker.url}/livez`);
}

test('a client that resets its connection while its token is checked is not carried', async (t) => {
  const running = await setUp(t);
  const { broker, simulator, authorization } = running;
  await resetWhileChecked(
    t,
    running,
    `POST /stt HTTP/1.1\r\nHost: broker\r\nAuthorization: ${authorization}\r\nContent-Length: 1000\r\n` +
      'Content-Type: multipart/form-data; boundary=form\r\n\r\n--form\r\n',
  );
  t.equal(broker.carried, 0);
  t.equal(broker.leases, 0);
  t.strictSame(simulator.journal.entries({}), []);
});

test('a socket whose client resets it while its token is checked does not hold up the shutdown', async (t) => {
  const running = await setUp(t);
  const { broker, simulator, authorization } = running;
  await resetWhileChecked(t, running, handshake(broker.url, '/tts/websocket', { Authorization: authorization }));
  t.equal(broker.leases, 0);
  t.strictSame(simulator.journal.entries({}), []);
  const start = performance.now();
  await broker.stop(STOP);
  t.ok(performance.now() - start < 2_000, `${performance.now() - start} ms`);
});

test('a socket whose client resets it while its single-use token is spent does not hold up the shutdown', async (t) => {
  const relay = await slowRelay(t, (await redisServer(t)).port);
  const { broker, logs, appKey } = await startSocketBroker(t, { env: { REDIS_URL: relay.url } });
  const isAborted = (): boolean => logs.some(({ outcome }) => outcome === 'aborted');
  // Redis is waited for no longer than a tenth of a second, so on a busy machine the moment may be missed.
  for (let tries = 0; tries < 10 && !isAborted(); tries += 1) {
    const minted = await send(`${broker.url}/access-token`, { credential: appKey, json: { single_use: true } });
    const { token } = JSON.parse(minted.body.toString()) as { token: string };
    const client = await connected(t, broker.url);
    relay.delayMs = 60;
    const asked = relay.asked(':used:');
    client.write(handshake(broker.url, `/tts/websocket?access_token=${token}`, {}));
    await Promise.race([asked, once(client, 'data')]); // a Redis that was too late before may not be asked at all
    client.resetAndDestroy();
    await sleep(200); // until Redis has answered
    relay.delayMs = 0;
  }
  t.ok(isAborted());
  const start = performance.now();
  await broker.stop(STOP);
  t.ok(performance.now() - start < 2_000, `${performance.now() - start} ms`);
});

test('a socket whose client ends its connection while its token is checked is not opened', async (t) => {
  for (const leave of ['end', 'destroy'] as const) {
    const { broker, simulator, logs, publish, authorization } = await setUp(t);
    const client = await connected(t, broker.url);
    client.write(handshake(broker.url, '/tts/websocket', { Authorization: authorization }));
    await sleep(50); // until it is being checked
    client[leave]();
    await sleep(50); // until the broker knows
    publish();
    await until(() => logs.find(({ outcome }) => outcome === 'aborted'), 'line of the request');
    await until(() => logs.find(({ msg }) => msg === 'key set loaded'), 'line of the keys');
    await send(`${broker.url}/livez`);
    t.equal(broker.leases, 0, leave);
    t.strictSame(simulator.journal.entries({}), [], leave);
  }
});

test('a page that leaves before its socket is refused is logged and counted once', async (t) => {
  const { broker, logs, publish, forged } = await setUp(t, {}, { browser_refusals: 'event' });
  const client = await connected(t, broker.url);
  const headers = { Authorization: forged, Origin: 'https://app.example.com' };
  client.write(handshake(broker.url, '/tts/websocket', headers));
  await sleep(50); // until its token is being checked
  client.resetAndDestroy();
  await until(() => logs.find(({ outcome }) => outcome === 'aborted'), 'line of the request');
  publish();
  await until(() => logs.find(({ msg }) => msg === 'key set loaded'), 'line of the keys');
  await send(`${broker.url}/livez`);
  const lines = logs.filter(({ route }) => route === '/tts/websocket');
  t.strictSame(
    lines.map(({ status, outcome }) => [status, outcome]),
    [[499, 'aborted']],
  );
});

test('a socket whose token is still being checked at the drain deadline is cut', async (t) => {
  const { broker, authorization } = await setUp(t, { drain_deadline: 1 });
  const client = await connected(t, broker.url);
  client.write(handshake(broker.url, '/tts/websocket', { Authorization: authorization }));
  await send(`${broker.url}/livez`); // by then it is being checked
  const start = performance.now();
  await broker.stop(STOP);
  t.ok(performance.now() - start < 2_000, `${performance.now() - start} ms`);
});

test('a TLS handshake that is under way at the drain deadline is cut', async (t) => {
  const { broker } = await startSocketBroker(t, {
    tls: true,
    file: (digest) => ({ ...clientOf(digest), listen: { drain_deadline: 1 } }),
  });
  await connected(t, broker.url);
  await send(`${broker.url}/livez`); // by then it is accepted
  const start = performance.now();
  await broker.stop(STOP);
  t.ok(performance.now() - start < 2_000, `${performance.now() - start} ms`);
});

test('a socket that would open after the shutdown has begun is refused, and its single-use token opens one at another replica', async (t) => {
  const redis = await redisServer(t);
  const relay = await slowRelay(t, redis.port);
  const TOKEN_SIGNING_SECRET = randomBytes(32).toString('base64url');
  const leaving = await startSocketBroker(t, { env: { REDIS_URL: relay.url, TOKEN_SIGNING_SECRET } });
  const staying = await startSocketBroker(t, { env: { REDIS_URL: redis.url.reveal(), TOKEN_SIGNING_SECRET } });
  const { broker, simulator, appKey } = leaving;
  const minted = await send(`${broker.url}/access-token`, { credential: appKey, json: { single_use: true } });
  const { token } = JSON.parse(minted.body.toString()) as { token: string };
  const path = `/tts/websocket?access_token=${token}`;
  relay.delayMs = 60;
  const asked = relay.asked(':used:');
  const refusal = openRawSocket(t, broker.url, path, {}).then(String, String);
  await asked;
  const start = performance.now();
  const stopped = broker.stop(STOP);
  t.match(await refusal, /HTTP\/1\.1 503 [\s\S]*"draining"/);
  await stopped;
  t.ok(performance.now() - start < 2_000, `${performance.now() - start} ms`);
  t.strictSame(simulator.journal.entries({ path: '/tts/websocket' }), []);
  const { socket } = await openRawSocket(t, staying.broker.url, path, {});
  socket.destroy();
});

test('a socket whose client leaves while its budget is asked for takes no place in the queue for leases', async (t) => {
  const relay = await slowRelay(t, (await redisServer(t)).port);
  const { broker, logs, headers } = await startSocketBroker(t, {
    env: { REDIS_URL: relay.url, STT_CONCURRENCY: '1' },
    file: (digest) => clientOf(digest, { limits: { quota: { audio_seconds: { subject: '100/day' } } } }),
  });
  const { socket: first } = await openRawSocket(t, broker.url, STT_PATH, headers);
  t.equal(broker.leases, 1);
  relay.delayMs = 60;
  const client = await connected(t, broker.url);
  const asked = relay.asked(':budget');
  client.write(handshake(broker.url, STT_PATH, headers));
  await asked;
  client.destroy();
  await until(() => logs.find(({ outcome }) => outcome === 'aborted'), 'line of the request');
  await sleep(200); // until Redis has answered
  t.equal(broker.leases, 1);
  first.destroy();
});

test('a socket that waits for a lease when a shutdown begins is told so at once, and nothing else is cut', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t, {
    file: (digest) => ({
      ...clientOf(digest),
      upstream: { concurrency: { stt: 1 } },
      limits: { queue: { wait: 20 } },
      listen: { drain_deadline: 2 },
    }),
  });
  const upload = await connected(t, broker.url);
  const form = '--form\r\nContent-Disposition: form-data; name="model"\r\n\r\nink-whisper\r\n--form--\r\n';
  upload.write(
    `POST /stt HTTP/1.1\r\nHost: broker\r\nAuthorization: ${headers['Authorization']}\r\n` +
      `Content-Length: ${form.length}\r\nContent-Type: multipart/form-data; boundary=form\r\n\r\n--form`,
  );
  await until(() => broker.leases === 1, 'lease of the upload');
  const refusal = openRawSocket(t, broker.url, STT_PATH, headers).then(String, String);
  await until(() => broker.leases === 2, 'wait of the socket');
  const start = performance.now();
  const stopped = broker.stop(STOP);
  t.match(await refusal, /HTTP\/1\.1 503 [\s\S]*"draining"/);
  t.ok(performance.now() - start < 1_000, 'at once: another replica can take it');
  upload.write(form.slice('--form'.length));
  const [answer] = (await once(upload, 'data')) as [Buffer];
  t.match(answer.toString('latin1'), /^HTTP\/1\.1 4\d\d [\s\S]*"source":"upstream"/, 'the upload has reached Cartesia');
  await stopped;
  t.strictSame(simulator.journal.entries({ path: '/stt/websocket' }), []);
});
