// Carried requests that are ended early: by the drain deadline, a kill or a revocation.
import { randomBytes } from 'node:crypto';
import { Agent, type IncomingMessage } from 'node:http';
import { type Test, test } from 'tap';
import { type CarryingBroker, open, SPEECH, send, startCarrying, untilQuiet } from './carried-broker.ts';
import { problemOf, until } from './limits-answers.ts';
import { startRunningBroker } from './running-broker.ts';

const ADMIN_TOKEN = randomBytes(24).toString('hex');

async function setUp(t: Test): Promise<CarryingBroker> {
  const running = await startCarrying(t, {
    env: { ADMIN_TOKEN },
    file: { listen: { drain_delay: 0, drain_deadline: 1 } },
  });
  running.watch.add({ name: 'admin token', value: ADMIN_TOKEN });
  return running;
}

/** A response that has begun and would go on for minutes. */
async function begin({ broker, simulator, token }: CarryingBroker, path: string): Promise<IncomingMessage> {
  simulator.configure({ latency: { perChunkMs: 60_000 } });
  return open(`${broker.url}${path}`, { credential: token, json: SPEECH });
}

/** The rest of a response, and whether it was complete. */
async function restOf(answer: IncomingMessage): Promise<{ readonly text: string; readonly isComplete: boolean }> {
  let text = '';
  answer.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await new Promise<void>((resolve) => answer.on('error', () => {}).on('close', resolve));
  return { text, isComplete: answer.complete };
}

function lastEvent(text: string): unknown {
  const data =
    text
      .trimEnd()
      .split('\n')
      .findLast((line) => line.startsWith('data:')) ?? '';
  return JSON.parse(data.slice('data:'.length));
}

const lineOf = ({ logs }: CarryingBroker, path: string): Record<string, unknown> | undefined =>
  logs.find(({ route, msg }) => route === path && msg === 'request');

test('at the drain deadline a stream gets an error event, audio breaks off, and the log says why and how many', async (t) => {
  const running = await setUp(t);
  const stream = restOf(await begin(running, '/tts/sse'));
  const audio = restOf(await begin(running, '/tts/bytes'));
  running.simulator.configure({ latency: { firstByteMs: 60_000 } });
  const waiting = send(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH });
  await until(() => running.broker.carried === 3);
  await running.broker.stop({ delayMs: 0 });
  const { text, isComplete } = await stream;
  t.ok(isComplete);
  t.match(lastEvent(text), { type: 'error', done: true, status_code: 503, error_code: 'draining' });
  t.equal((await audio).isComplete, false);
  const refused = await waiting;
  t.equal(refused.status, 503);
  t.match(problemOf(refused), { error_code: 'draining' });
  t.match(
    running.logs
      .filter(({ route }) => String(route).startsWith('/tts/'))
      .map(({ status, outcome }) => [status, outcome])
      .sort(),
    [
      [200, 'draining'],
      [200, 'draining'],
      [503, 'draining'],
    ],
  );
  t.match(
    running.logs.find(({ msg }) => msg === 'drain deadline: what is still open is cut'),
    { connections: 3, carried: 3 },
  );
});

test('a broker that has stopped keeps no connection to Cartesia', async (t) => {
  for (const transport of ['native', 'undici'] as const) {
    const running = await startCarrying(t, { transport });
    t.equal((await send(`${running.broker.url}/voices`, { credential: running.token })).status, 200);
    t.equal(running.simulator.counters().openConnections, 1, transport);
    await running.broker.stop({ delayMs: 0, idleGraceMs: 5 });
    await untilQuiet(running, 0);
  }
});

test('an answer carried while the process drains asks to close its connection', async (t) => {
  const { broker, token } = await setUp(t);
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const read = () => send(`${broker.url}/voices`, { credential: token, agent });
  t.not((await read()).headers['connection'], 'close');
  const stopped = broker.stop({ delayMs: 1000 });
  t.match(await read(), { status: 200, headers: { connection: 'close' } });
  await stopped;
});

test('at the drain deadline a request that waits for a turn or for a token is told', async (t) => {
  const running = await startCarrying(t, {
    env: { TTS_CONCURRENCY: '1' },
    file: { listen: { drain_delay: 0, drain_deadline: 1 }, limits: { queue: { wait: 30 } } },
  });
  const audio = restOf(await begin(running, '/tts/bytes'));
  const waiting = send(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH });
  await until(() => running.broker.leases === 2);
  await running.broker.stop({ delayMs: 0 });
  t.equal((await audio).isComplete, false);
  const refused = await waiting;
  t.match([refused.status, problemOf(refused).error_code], [503, 'draining']);
  t.equal(running.broker.leases, 0);

  const minting = await startRunningBroker(t, { file: () => ({ listen: { drain_deadline: 1 } }) });
  minting.simulator.faults.add({ match: { path: '/access-token' }, action: { type: 'hang' } });
  const minted = send(`${minting.broker.url}/access-token`, { credential: minting.appKey, json: {} });
  await until(() => minting.simulator.counters().openConnections === 1);
  await minting.broker.stop({ delayMs: 0 });
  const unminted = await minted;
  t.match([unminted.status, problemOf(unminted).error_code], [503, 'draining']);
  t.match(
    minting.logs.find(({ msg }) => msg === 'request'),
    { status: 503, outcome: 'draining' },
  );
});

test('a request that the operator ends or revokes is told so', async (t) => {
  for (const how of ['kill', 'revoke'] as const) {
    const running = await setUp(t);
    const admin = (method: string, path: string, json?: unknown) =>
      send(`${running.broker.managementUrl}${path}`, {
        method,
        credential: ADMIN_TOKEN,
        ...(json === undefined ? {} : { json }),
      });
    const stream = restOf(await begin(running, '/tts/sse'));
    const audio = restOf(await begin(running, '/tts/bytes'));
    if (how === 'revoke') await admin('POST', '/admin/revocations', { scope: 'everything' });
    else {
      const { sessions } = JSON.parse((await admin('GET', '/admin/sessions')).body.toString());
      for (const { id } of sessions) t.equal((await admin('DELETE', `/admin/sessions/${id}`)).status, 200);
    }
    t.match(lastEvent((await stream).text), {
      type: 'error',
      done: true,
      status_code: 403,
      error_code: 'token_revoked',
    });
    t.equal((await audio).isComplete, false);
    for (const path of ['/tts/sse', '/tts/bytes']) {
      await until(() => lineOf(running, path) !== undefined);
      t.match(lineOf(running, path), { status: 200, outcome: 'token_revoked' }, `${how} ${path}`);
    }
  }
});

test('a request that pauses because Cartesia has no room is open: it is listed, can be ended, and is told at the drain deadline', async (t) => {
  const running = await startCarrying(t, {
    env: { ADMIN_TOKEN, TTS_CONCURRENCY: '2' },
    file: { listen: { drain_delay: 0, drain_deadline: 1 }, limits: { queue: { wait: 30 } } },
  });
  running.watch.add({ name: 'admin token', value: ADMIN_TOKEN });
  const { broker, simulator, token } = running;
  const admin = (method: string, path: string) =>
    send(`${broker.managementUrl}/admin/${path}`, { credential: ADMIN_TOKEN, method });
  const listed = async (): Promise<{ readonly id: string }[]> =>
    JSON.parse((await admin('GET', 'sessions')).body.toString()).sessions;
  simulator.faults.add({
    match: { path: '/tts/bytes' },
    action: { type: 'answer', status: 429, retryAfter: 20 },
  });
  const speak = () => send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  const isPausing = (): boolean => broker.carried === 1 && broker.leases === 0;
  const first = speak();
  await until(isPausing);
  const [session] = await listed();
  t.equal((await admin('DELETE', `sessions/${session?.id}`)).status, 200);
  const ended = await first;
  t.match([ended.status, problemOf(ended).error_code], [403, 'token_revoked']);
  t.strictSame([await listed(), broker.carried], [[], 0]);

  const second = speak();
  await until(isPausing);
  await broker.stop({ delayMs: 0 });
  const drained = await second;
  t.match([drained.status, problemOf(drained).error_code], [503, 'draining']);
  t.equal(broker.carried, 0);
  t.strictSame(
    running.logs.filter(({ route }) => route === '/tts/bytes').map(({ status, outcome }) => [status, outcome]),
    [
      [403, 'token_revoked'],
      [503, 'draining'],
    ],
  );
});
