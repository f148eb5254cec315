import { once } from 'node:events';
import { test } from 'tap';
import { PLAN_LIMITS, PLANS } from '../../../src/simulator/settings.ts';
import { simulatorFor, VOICE } from '../call.ts';
import { connect, refused } from './socket-client.ts';
import { spoken } from './speech.ts';

const TTS = '/tts/websocket';
const STT = '/stt/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000';
const TURNS = '/stt/turns/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000';
const REQUEST = {
  model_id: 'sonic-3.6',
  voice: VOICE,
  output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 },
};
const LIMITED = { title: 'Too many concurrent requests', message: "You have exceeded your plan's concurrency limit." };

for (const plan of PLANS) {
  const limits = PLAN_LIMITS[plan];

  test(`${plan}: contexts are counted across all sockets; the one too many gets 429, the others continue`, async (t) => {
    const simulator = await simulatorFor(t, { plan });
    const clients = [await connect(t, simulator, TTS), await connect(t, simulator, TTS)];
    for (let n = 0; n < limits.tts; n += 1) {
      clients[n % 2]?.send({ ...REQUEST, context_id: `open-${n}`, transcript: 'Held', continue: true });
      // More text for an open context takes no further slot.
      clients[n % 2]?.send({ ...REQUEST, context_id: `open-${n}`, transcript: ' back', continue: true });
    }
    const [first, second] = clients;
    if (first === undefined || second === undefined) throw new Error('two clients');
    // A response on each socket shows that everything before it was processed.
    for (const client of clients) {
      client.send('{}');
      await client.next('error');
    }
    first.send({ ...REQUEST, context_id: 'too-many', transcript: 'x' });
    t.match(await first.next('error'), {
      status_code: 429,
      error_code: 'concurrency_limited',
      context_id: 'too-many',
      ...LIMITED,
    });
    t.same(simulator.counters().tts, { active: limits.tts, highWater: limits.tts, granted: limits.tts, refused: 1 });
    first.send({ ...REQUEST, context_id: 'open-0', transcript: ' no more.' });
    await first.until('done');
    // The slot was freed before `done` was sent.
    first.send({ ...REQUEST, context_id: 'now-there-is-room', transcript: 'x' });
    await first.until('done');
    for (const { socket } of clients) socket.terminate();
    for (const { id } of simulator.journal.entries({ path: TTS })) {
      await simulator.journal.waitFor({ path: TTS }, (entry) => entry.id === id && entry.outcome !== 'open');
    }
    t.equal(simulator.counters().tts.active, 0, 'cut sockets release their contexts');
  });

  test(`${plan}: ${limits.ttsSockets} TTS sockets may be open, and the next gets HTTP 429`, async (t) => {
    const simulator = await simulatorFor(t, { plan });
    const clients = await Promise.all(Array.from({ length: limits.ttsSockets }, () => connect(t, simulator, TTS)));
    const { status, body, headers } = await refused(simulator, TTS);
    t.equal(status, 429);
    t.match(JSON.parse(body), {
      error_code: 'concurrency_limited',
      ...LIMITED,
      request_id: headers['cartesia-request-id'],
    });
    t.equal(simulator.counters().ttsSockets.active, limits.ttsSockets);
    clients[0]?.socket.close();
    await simulator.journal.waitFor(
      { path: TTS },
      ({ outcome, status: accepted }) => outcome === 'completed' && accepted === 101,
    );
    await clients[0]?.closed;
    const { socket } = await connect(t, simulator, TTS);
    t.equal(socket.readyState, socket.OPEN, 'a closed socket makes room');
  });

  test(`${plan}: ${limits.stt} STT sockets of both kinds may be open, even idle, and the next gets HTTP 429`, async (t) => {
    const simulator = await simulatorFor(t, { plan });
    await Promise.all(Array.from({ length: limits.stt }, (_, n) => connect(t, simulator, n % 2 === 0 ? STT : TURNS)));
    for (const path of [STT, TURNS]) {
      const { status, body } = await refused(simulator, path);
      t.equal(status, 429);
      t.match(JSON.parse(body), { error_code: 'concurrency_limited', ...LIMITED });
    }
    t.same(simulator.counters().stt, { active: limits.stt, highWater: limits.stt, granted: limits.stt, refused: 2 });
    const { status } = await refused(simulator, STT, { version: '2025-04-16' });
    t.equal(status, 429);
    t.equal(simulator.counters().tts.active, 0, 'STT and TTS are counted separately');
  });

  test(`${plan}: ${limits.agents} agent calls may be open, and the next gets HTTP 429`, async (t) => {
    const simulator = await simulatorFor(t, { plan });
    const paths = ['/agents/stream/agent_1', '/v1/agents/websocket/agent_1'] as const;
    await Promise.all(
      Array.from({ length: limits.agents }, (_, n) => connect(t, simulator, paths[n % 2 === 0 ? 0 : 1])),
    );
    for (const path of paths) t.equal((await refused(simulator, path)).status, 429);
    t.equal(simulator.counters().agents.active, limits.agents);
  });
}

test('an STT socket too many can be refused with an event instead, in the form of its version', async (t) => {
  const simulator = await simulatorFor(t, { settings: { limits: { stt: 0 }, sockets: { sttLimit: 'event' } } });
  for (const path of [STT, TURNS]) {
    const client = await connect(t, simulator, path);
    t.match(await client.next(), {
      type: 'error',
      status_code: 429,
      error_code: 'concurrency_limited',
      request_id: client.requestId,
    });
    t.equal((await client.closed).code, 1008);
    const older = await connect(t, simulator, path, { version: '2025-11-04' });
    t.same(await older.next(), {
      type: 'error',
      request_id: older.requestId,
      message: "Too many concurrent requests: You have exceeded your plan's concurrency limit.",
    });
  }
  t.equal(simulator.counters().stt.active, 0);
});

test('missing, wrong, unsuitable and expired credentials are refused on every socket', async (t) => {
  const simulator = await simulatorFor(t, { plan: 'scale' });
  const sockets = [
    { path: TTS, grant: 'tts' },
    { path: STT, grant: 'stt' },
    { path: TURNS, grant: 'stt' },
    { path: '/agents/stream/agent_1', grant: 'agent' },
    { path: '/v1/agents/websocket/agent_1', grant: 'agent' },
  ] as const;
  for (const { path, grant } of sockets) {
    const others = { tts: grant !== 'tts', stt: grant !== 'stt', agent: grant !== 'agent' };
    const expired = simulator.mintToken({ seconds: 1 });
    simulator.clock.advance(2_000);
    const cases = [
      [null, 401],
      ['sk_car_unknown', 401],
      ['a.b.c', 401],
      [expired, 401],
      ['sk_car_admin_simulated', 403],
      [simulator.mintToken({ grants: others }), 403],
    ] as const;
    for (const [credential, status] of cases) {
      const answer = await refused(simulator, path, { credential });
      t.equal(answer.status, status, `${path} ${status}`);
      t.match(JSON.parse(answer.body), { error_code: null, request_id: answer.headers['cartesia-request-id'] });
    }
    const join = path.includes('?') ? '&' : '?';
    const token = simulator.mintToken({ grants: { [grant]: true } });
    await connect(t, simulator, `${path}${join}access_token=${token}`, { credential: null });
    await connect(t, simulator, `${path}${join}api_key=${simulator.apiKey}`, { credential: null });
    await connect(t, simulator, path, { credential: null, headers: { 'X-API-Key': simulator.apiKey } });
    t.equal(
      (await refused(simulator, path, { headers: { 'X-API-Key': 'sk_car_other' } })).status,
      400,
      'two different credentials',
    );
  }
  const text = await refused(simulator, TTS, { credential: null, version: '2025-04-16' });
  t.equal(text.headers['content-type'], 'text/plain; charset=utf-8');
  t.equal(text.body, 'Unauthorized: Missing credentials.');
});

test('a bad credential can be refused with an event instead', async (t) => {
  const simulator = await simulatorFor(t, { settings: { sockets: { badCredential: 'event' } } });
  for (const path of [TTS, STT, TURNS]) {
    const client = await connect(t, simulator, path, { credential: null });
    t.match(await client.next(), { type: 'error', status_code: 401, title: 'Unauthorized' });
    t.equal((await client.closed).code, 1008);
  }
  const managed = await connect(t, simulator, '/v1/agents/websocket/a', { credential: null });
  t.match(await managed.next(), { type: 'error', code: 'invalid_event', fatal: true });
  t.equal((await managed.closed).code, 1008);
  const line = await connect(t, simulator, '/agents/stream/a', { credential: null });
  t.same(await line.closed, { code: 1008, reason: 'Unauthorized' });
  t.same(
    Object.values(simulator.counters()).map((counter) => (typeof counter === 'number' ? 0 : counter.active)),
    [0, 0, 0, 0, 0, 0],
  );
});

test('paths that are not sockets are refused with 404', async (t) => {
  const simulator = await simulatorFor(t);
  for (const path of [
    '/tts/websocket/',
    '/tts',
    '/',
    '/agents/stream/',
    '/agents/stream/a/b',
    '/v1/agents/websocket/a/sessions',
  ]) {
    t.equal((await refused(simulator, path)).status, 404, path);
  }
});

test('a token is checked when the socket opens; the socket may outlive it', async (t) => {
  const simulator = await simulatorFor(t);
  const token = simulator.mintToken({ grants: { tts: true }, seconds: 5 });
  const client = await connect(t, simulator, `${TTS}?access_token=${token}`, { credential: null });
  simulator.clock.advance(10_000);
  client.send({ ...REQUEST, context_id: 'later', transcript: 'Still here.' });
  t.equal((await client.until('done')).at(-1)?.['type'], 'done');
});

test('idle sockets are closed with 1000, each by its own rule', async (t) => {
  const simulator = await simulatorFor(t);
  const { clock } = simulator;
  const idle = { code: 1000, reason: 'connection idle timeout' };

  const tts = await connect(t, simulator, TTS);
  clock.advance(299_000);
  tts.send('{}');
  await tts.next('error');
  clock.advance(299_000);
  tts.socket.ping();
  await once(tts.socket, 'pong');
  t.equal(tts.socket.readyState, tts.socket.OPEN);
  clock.advance(1_000);
  t.same(await tts.closed, idle, 'TTS: five minutes after the last message; pings do not count');

  const stt = await connect(t, simulator, STT);
  for (const frame of spoken('Hi')) stt.send(frame);
  await stt.until(({ text }) => text === 'Hi');
  clock.advance(100_000);
  stt.send('finalize');
  await stt.next('flush_done');
  clock.advance(80_000);
  t.same(await stt.closed, idle, 'STT: three minutes without audio; commands do not count');

  const line = await connect(t, simulator, '/agents/stream/a');
  clock.advance(179_000);
  line.socket.ping();
  await once(line.socket, 'pong');
  clock.advance(179_000);
  t.equal(line.socket.readyState, line.socket.OPEN);
  clock.advance(1_000);
  t.same(await line.closed, idle, 'Line agent: three minutes; pings count');

  simulator.configure({ agents: { introduction: '' } });
  const managed = await connect(t, simulator, '/v1/agents/websocket/a');
  managed.send({ type: 'session_create', audio: { input_format: 'pcm_16000' } });
  await managed.next('session_ready');
  clock.advance(119_000);
  managed.socket.ping();
  await once(managed.socket, 'pong');
  clock.advance(1_000);
  t.same(await managed.closed, idle, 'managed agent: two minutes without an event; pings do not count');
});

test('a changed idle time counts for open sockets from their next message on', async (t) => {
  const simulator = await simulatorFor(t, { settings: { agents: { introduction: '' } } });
  const { clock } = simulator;
  const tts = await connect(t, simulator, TTS);
  const stt = await connect(t, simulator, STT);
  const line = await connect(t, simulator, '/agents/stream/a');
  const managed = await connect(t, simulator, '/v1/agents/websocket/a');
  simulator.configure({ idle: { ttsMs: 5_000, sttMs: 5_000, agentLineMs: 5_000, agentManagedMs: 5_000 } });

  tts.send('{}');
  await tts.next('error');
  stt.send(new Uint8Array(3_200));
  stt.send('finalize');
  await stt.next('flush_done');
  line.send({ event: 'start', config: { input_format: 'pcm_16000' } });
  await line.next('ack');
  managed.send({ type: 'session_create', audio: { input_format: 'pcm_16000' } });
  await managed.next('session_ready');
  clock.advance(4_000);
  for (const { socket } of [tts, stt, line, managed]) t.equal(socket.readyState, socket.OPEN);
  clock.advance(1_000);
  for (const { closed } of [tts, stt, line, managed])
    t.same(await closed, { code: 1000, reason: 'connection idle timeout' });
});
