import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { WebSocket } from 'ws';
import type { FaultAction } from '../../../src/simulator/faults.ts';
import { simulatorFor, VOICE } from '../call.ts';
import { connect, refused } from './socket-client.ts';

const PATH = '/tts/websocket';
const REQUEST = {
  model_id: 'sonic-3.6',
  voice: VOICE,
  output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 },
  context_id: 'a',
  transcript: 'Enough text for a few chunks of audio, so that a fault can come in between.',
};

async function faulty(t: Parameters<typeof simulatorFor>[0], action: FaultAction) {
  const simulator = await simulatorFor(t);
  simulator.faults.add({ match: { path: PATH }, times: 1, action });
  return { simulator, client: await connect(t, simulator, PATH) };
}

test('an upgrade can be refused with any status', async (t) => {
  const simulator = await simulatorFor(t);
  for (const status of [401, 403, 404, 429, 500, 503]) {
    simulator.faults.add({ match: { path: PATH }, times: 1, action: { type: 'answer', status, retryAfter: 7 } });
    const answer = await refused(simulator, PATH);
    t.equal(answer.status, status);
    t.equal(answer.headers['retry-after'], '7');
  }
  await connect(t, simulator, PATH);
});

test('the server can close with any code after a number of frames', async (t) => {
  for (const [code, afterFrames] of [
    [1000, 0],
    [1001, 1],
    [1008, 2],
    [1011, 2],
    [1012, 3],
    [4000, 1],
  ] as const) {
    const { simulator, client } = await faulty(t, { type: 'close_socket', code, reason: 'on purpose', afterFrames });
    client.send(REQUEST);
    t.same(await client.closed, { code, reason: 'on purpose' });
    t.equal(client.messages.length, afterFrames);
    const [entry] = simulator.journal.entries({ path: PATH });
    t.equal(entry?.outcome, 'faulted');
    t.equal(simulator.counters().tts.active, 0);
  }
});

test('a code that cannot be sent ends the connection without a close frame, and a long reason is truncated', async (t) => {
  for (const code of [1005, 1006, 1015, 2000]) {
    const { client } = await faulty(t, { type: 'close_socket', code, afterFrames: 1 });
    client.send(REQUEST);
    t.equal((await client.closed).code, 1006);
  }
  const { client } = await faulty(t, { type: 'close_socket', code: 4999, reason: 'x'.repeat(200) });
  t.same(await client.closed, { code: 4999, reason: 'x'.repeat(123) });
  const other = await faulty(t, { type: 'close_socket', code: 4999, reason: 'é'.repeat(100) });
  t.same(await other.client.closed, { code: 4999, reason: 'é'.repeat(61) }, 'between characters');
});

test('the connection can be reset after a number of frames', async (t) => {
  const { simulator, client } = await faulty(t, { type: 'reset_socket', afterFrames: 2 });
  client.send(REQUEST);
  t.equal((await client.closed).code, 1006);
  // A reset may overtake data that the client has not read yet.
  t.ok(client.messages.length <= 2);
  const [entry] = simulator.journal.entries({ path: PATH });
  t.equal(entry?.frames.filter(({ from }) => from === 'server').length, 2);
  t.equal(simulator.counters().tts.active, 0);
});

test('the server can fall silent, without even answering pings', async (t) => {
  const { simulator, client } = await faulty(t, { type: 'hang_socket', afterFrames: 1 });
  client.send(REQUEST);
  await client.next('chunk');
  let pongs = 0;
  client.socket.on('pong', () => {
    pongs += 1;
  });
  client.socket.ping();
  client.send({ ...REQUEST, context_id: 'b' });
  // A second socket shows that the server itself is still running.
  const other = await connect(t, simulator, PATH);
  other.send(REQUEST);
  await other.until('done');
  t.equal(client.messages.length, 1);
  t.equal(pongs, 0);
  client.socket.terminate();
  await simulator.journal.waitFor({ path: PATH }, ({ outcome }) => outcome === 'faulted');
});

test('a client that leaves a silent server frees its place, even with messages that were not read', async (t) => {
  const simulator = await simulatorFor(t);
  const paths = [PATH, '/stt/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000', '/v1/agents/websocket/a'];
  for (const path of paths) {
    simulator.faults.add({ match: {}, times: 1, action: { type: 'hang_socket' } });
    const client = await connect(t, simulator, path);
    client.send(REQUEST);
    client.socket.close();
    await sleep(20);
    t.equal(simulator.counters().openConnections, 1, 'not even a close is answered');
    client.socket.terminate();
    for (let turns = 0; turns < 200 && simulator.counters().openConnections > 0; turns += 1) await sleep(5);
  }
  const { ttsSockets, stt, agents, openConnections } = simulator.counters();
  t.strictSame([ttsSockets.active, stt.active, agents.active, openConnections], [0, 0, 0, 0]);
});

test('a client that sends much to a silent server gets stuck', async (t) => {
  const { client } = await faulty(t, { type: 'hang_socket' });
  const { socket } = client;
  const megabyte = 'x'.repeat(1_000_000);
  for (let sent = 0; sent < 30; sent += 1) socket.send(megabyte);
  await sleep(200);
  t.ok(socket.bufferedAmount > 5_000_000);
});

test('garbage can come as a message, or as bytes that are not a frame', async (t) => {
  const text = await faulty(t, {
    type: 'garbage_socket',
    as: 'text',
    bytes: '{"type":"some_future_event","n":1}',
    afterFrames: 1,
  });
  text.client.send(REQUEST);
  t.match((await text.client.until('done'))[1], { type: 'some_future_event', n: 1 });

  const binary = await faulty(t, { type: 'garbage_socket', as: 'binary', bytes: '\xff\x00', afterFrames: 1 });
  binary.client.send(REQUEST);
  t.same((await binary.client.until('done'))[1], { binary: Buffer.from([0xff, 0]) });

  const raw = await faulty(t, { type: 'garbage_socket', as: 'raw', bytes: '\xff\xff\xff\xff', afterFrames: 1 });
  raw.client.send(REQUEST);
  t.equal((await raw.client.closed).code, 1006);
  t.equal(raw.client.messages.length, 1);
});

test('an error event after a number of frames ends the context; STT continues', async (t) => {
  const { simulator, client } = await faulty(t, { type: 'error_event', afterEvents: 1, problem: 'unexpected' });
  client.send(REQUEST);
  const messages = await client.until('error');
  t.equal(messages.length, 2);
  t.match(messages[1], { status_code: 500, error_code: null, context_id: 'a', done: true });
  t.equal(simulator.counters().tts.active, 0);
  client.send({ ...REQUEST, context_id: 'b' });
  await client.until('done');

  const path = '/stt/websocket';
  simulator.faults.add({
    match: { path },
    times: 1,
    action: { type: 'error_event', afterEvents: 0, problem: 'unexpected' },
  });
  const stt = await connect(t, simulator, `${path}?model=ink-2&encoding=pcm_s16le&sample_rate=16000`);
  t.match(await stt.next(), { type: 'error', status_code: 500 });
  stt.send('close');
  await stt.until('done');
});

test('latency delays the first chunk and each one after it', async (t) => {
  const simulator = await simulatorFor(t, { settings: { latency: { firstByteMs: 60_000, perChunkMs: 60_000 } } });
  const client = await connect(t, simulator, PATH);
  client.send(REQUEST);
  client.send('{}');
  await client.next('error');
  for (let chunks = 0; chunks < 2; chunks += 1) {
    simulator.clock.advance(59_000);
    t.equal(client.messages.filter(({ type }) => type === 'chunk').length, chunks);
    simulator.clock.advance(1_000);
    await client.next('chunk');
  }
});

test('a message beyond the size limit closes with 1009, and permessage-deflate is never negotiated', async (t) => {
  const simulator = await simulatorFor(t, { settings: { sizes: { messageBytes: 1_000 } } });
  const client = await connect(t, simulator, PATH);
  t.equal(client.socket.extensions, '');
  client.send('x'.repeat(1_001));
  t.equal((await client.closed).code, 1009);
  const entry = await simulator.journal.waitFor({ path: PATH });
  t.match(entry, { outcome: 'completed', frames: [{ from: 'server', kind: 'close', code: 1009 }] });
  const socket = new WebSocket(`${simulator.url.replace('http', 'ws')}${PATH}?api_key=${simulator.apiKey}`, {
    perMessageDeflate: true,
  });
  t.teardown(() => socket.terminate());
  await new Promise((resolve) => socket.once('open', resolve));
  t.equal(socket.extensions, '');
});

test('the journal keeps the frames of a socket within its bounds', async (t) => {
  const simulator = await simulatorFor(t, { settings: { journal: { frameBytes: 10_000, textBytes: 100 } } });
  const client = await connect(t, simulator, PATH);
  for (let n = 0; n < 500; n += 1) client.send(`{"n":${n}}`);
  for (let n = 0; n < 500; n += 1) await client.next('error');
  const [entry] = simulator.journal.entries({ path: PATH });
  const frames = entry?.frames ?? [];
  t.ok(frames.length > 10 && frames.length < 60, `${frames.length} frames are kept`);
  t.ok(frames.every(({ text = '' }) => text.length <= 100));
  t.equal(entry?.bytesIn, 10 * 7 + 90 * 8 + 400 * 9, 'but all bytes are counted');
  simulator.journal.clear();
  client.send('{}');
  await client.next('error');
  t.equal(simulator.journal.entries().length, 0);
});
