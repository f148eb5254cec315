import { test } from 'tap';
import { simulatorFor } from '../call.ts';
import { connect, type Message, type SocketClient } from './socket-client.ts';
import { spoken } from './speech.ts';

const PATH = '/stt/turns/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000';

const types = (messages: readonly Message[]) => messages.map(({ type }) => type);
const send = (client: SocketClient, text: string, silenceSeconds: number) => {
  for (const frame of spoken(text, silenceSeconds)) client.send(frame);
};

test('a turn starts, grows, and ends with its whole text; every event has the request id', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  t.same(await client.next(), { type: 'connected', request_id: client.requestId });
  send(client, 'How are you?', 1);
  const turn = await client.until('turn.end');
  t.same(types(turn.slice(0, 2)), ['turn.start', 'turn.update']);
  t.same(turn.slice(-2), [
    { type: 'turn.eager_end', transcript: 'How are you?', request_id: client.requestId },
    { type: 'turn.end', transcript: 'How are you?', request_id: client.requestId },
  ]);
  const updates = turn.filter(({ type }) => type === 'turn.update').map(({ transcript }) => String(transcript));
  t.ok(
    updates.every((text, n) => text.startsWith(updates[n - 1] ?? '')),
    'updates are cumulative',
  );
  send(client, 'Fine.', 1);
  t.equal((await client.until('turn.end')).at(-1)?.['transcript'], 'Fine.', 'the next turn starts empty');
  client.send({ type: 'close' });
  t.equal((await client.closed).code, 1000);
  t.equal(simulator.counters().stt.active, 0);
});

test('a pause that did not end the turn is taken back', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  send(client, 'How are', 0.5);
  t.equal((await client.next('turn.eager_end'))['transcript'], 'How are');
  send(client, ' you?', 1);
  const rest = await client.until('turn.end');
  t.same(types(rest.slice(0, 2)), ['turn.resume', 'turn.update']);
  t.equal(rest.at(-1)?.['transcript'], 'How are you?');
});

test('close sends the rest of the turn', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  send(client, 'Cut off', 0);
  client.send({ type: 'close' });
  t.equal((await client.until('turn.end')).at(-1)?.['transcript'], 'Cut off');
  t.equal((await client.closed).code, 1000);
});

test('a client that stops sending ends its turn after the timeout', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, `${PATH}&turn_end_timeout_ms=700`);
  send(client, 'Silence follows', 0);
  await client.until(({ transcript }) => transcript === 'Silence follows');
  simulator.clock.advance(700);
  t.equal((await client.next())['type'], 'turn.end');
});

test('thresholds come from the query and from config messages', async (t) => {
  const simulator = await simulatorFor(t);
  const patient = await connect(t, simulator, `${PATH}&turn_end_threshold=0.05&turn_eager_end_threshold=0.1`);
  send(patient, 'Slow', 0.8);
  patient.send({ type: 'config', turn: { eager_end_threshold: 0.5, end_threshold: 0.4 } });
  send(patient, '', 0.1);
  const events = types(await patient.until('turn.end'));
  t.same(events.slice(-2), ['turn.eager_end', 'turn.end'], 'nothing had ended before the config message');
  patient.send({ type: 'config' });
  patient.send({ type: 'config', turn: 5 });
  t.match(await patient.next(), { type: 'error', status_code: 400, message: /turn/ });
});

test('other messages are errors, and the stream continues', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  await client.next('connected');
  for (const message of ['close', '[]', '{"type":"finalize"}', '{}']) {
    client.send(message);
    t.match(await client.next(), { type: 'error', status_code: 400, request_id: client.requestId });
  }
  send(client, 'Still here.', 1);
  t.equal((await client.until('turn.end')).at(-1)?.['transcript'], 'Still here.');
});
