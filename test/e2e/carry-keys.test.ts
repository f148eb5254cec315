// Which of several API keys carried requests are sent with.
import { test } from 'tap';
import { acceptOf } from '../../src/proxy/websocket/opening/handshake.ts';
import { makeCanary } from '../canary/canary.ts';
import { type RawRequest, startRawUpstream } from '../upstream/raw-upstream.ts';
import { type CarryingBroker, SPEECH, send, startCarrying } from './carried-broker.ts';
import { openRawSocket } from './raw-socket.ts';

const SPOKEN = 'HTTP/1.1 200 OK\r\nContent-Type: audio/raw\r\nContent-Length: 4\r\n\r\nRIFF';
const REFUSED = 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n';

const speak = async ({ broker, token }: CarryingBroker): Promise<number> =>
  (await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH })).status;

/** The response that accepts an upgrade. */
function accepted({ head }: RawRequest): string {
  const accept = acceptOf(/sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? '');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`;
}

for (const [name, begin, answerOf] of [
  ['request', speak, () => SPOKEN],
  [
    'socket',
    async ({ broker, token }: CarryingBroker, t: Parameters<typeof startCarrying>[0]) => {
      await openRawSocket(t, broker.url, '/tts/websocket', { Authorization: `Bearer ${token}` });
      return 200;
    },
    accepted,
  ],
] as const) {
  test(`a refused key counts again as soon as Cartesia accepts it for a ${name}`, async (t) => {
    const [first, second] = [makeCanary('first key', 'sk_car_'), makeCanary('second key', 'sk_car_')];
    const upstream = await startRawUpstream(({ socket, number }) => {
      if (number > 1) socket.write(number === 3 ? REFUSED : SPOKEN);
    });
    t.teardown(() => upstream.close());
    const running = await startCarrying(t, {
      env: { CARTESIA_BASE_URL: upstream.url, CARTESIA_API_KEY: `${first.value},${second.value}` },
    });
    const keys = (): (string | undefined)[] =>
      upstream.requests.map(({ head }) => {
        const key = /authorization: Bearer (\S+)/i.exec(head)?.[1];
        return key === first.value ? 'first' : key === second.value ? 'second' : key;
      });

    const early = begin(running, t);
    await upstream.untilRequests(1);
    for (const status of [200, 502, 200, 200]) t.equal(await speak(running), status);
    t.strictSame(keys(), ['first', 'second', 'first', 'second', 'second'], 'the first is set aside');
    const [held] = upstream.requests;
    if (held !== undefined) held.socket.write(answerOf(held));
    t.equal(await early, 200, 'asked before, answered now');
    await speak(running);
    await speak(running);
    t.strictSame(keys().slice(5).sort(), ['first', 'second']);
  });
}

test('an error that is not about the key leaves it in use, and alarms nobody', async (t) => {
  const [first, second] = [makeCanary('first key', 'sk_car_'), makeCanary('second key', 'sk_car_')];
  const errors = [402, 404, 429, 500, 503];
  const upstream = await startRawUpstream(({ socket, number }) => {
    const retry = 'Retry-After: 7\r\nCartesia-Request-Id: c-1\r\n';
    const status = errors[Math.floor((number - 1) / 2)];
    socket.write(status === undefined ? SPOKEN : `HTTP/1.1 ${status} No\r\n${retry}Content-Length: 0\r\n\r\n`);
  });
  t.teardown(() => upstream.close());
  const running = await startCarrying(t, {
    env: { CARTESIA_BASE_URL: upstream.url, CARTESIA_API_KEY: `${first.value},${second.value}` },
  });
  for (const status of errors.flatMap((error) => [error, error])) {
    const answer = await send(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH });
    t.equal(answer.status, status);
    t.equal(answer.headers['retry-after'], status === 429 || status === 503 ? '7' : undefined, `${status}`);
    t.equal(answer.headers['cartesia-request-id'], 'c-1');
  }
  const keys = upstream.requests.map(({ head }) => head.includes(first.value));
  t.equal(keys.filter(Boolean).length, errors.length, 'in turn');
  t.strictSame(
    running.logs.filter(({ level, msg }) => level === 'error' && /key/.test(String(msg))),
    [],
  );
});
