// What Cartesia, the simulator and a broker have in common over WebSockets.
import { randomUUID } from 'node:crypto';
import {
  BYTES_PER_SECOND,
  type Event,
  framesOf,
  generationAt,
  openSocket,
  RAW,
  spokenAt,
  TEXT,
  words,
} from './calls.ts';
import { everywhere, type Place } from './places.ts';

const ofContext =
  (id: string, type: string) =>
  (event: Event): boolean =>
    event['context_id'] === id && event['type'] === type;

everywhere('several contexts on one socket end one by one', async (t, place) => {
  const socket = await openSocket(t, place, '/tts/websocket');
  const generation = await generationAt(place);
  const ids = [randomUUID(), randomUUID()];
  for (const context_id of ids) socket.send({ ...generation, context_id, add_timestamps: true });
  await Promise.all(ids.map((id) => socket.event(ofContext(id, 'done'))));
  for (const id of ids) {
    const events = socket.events.filter(({ context_id }) => context_id === id);
    t.equal(events.at(-1)?.['type'], 'done', 'it is the last event');
    const chunks = events.filter(({ type }) => type === 'chunk');
    const bytes = chunks.reduce((sum, { data }) => sum + Buffer.from(String(data), 'base64').length, 0);
    t.ok(bytes > BYTES_PER_SECOND && bytes < 10 * BYTES_PER_SECOND, `${bytes} bytes of audio`);
    t.match(chunks[0], { done: false, status_code: Number, step_time: Number });
    const spoken = events.flatMap(({ word_timestamps: times }) => (times as { words?: string[] } | null)?.words ?? []);
    t.strictSame(words(spoken.join(' ')), words(TEXT));
  }
});

everywhere('a context takes its text in parts', async (t, place) => {
  const socket = await openSocket(t, place, '/tts/websocket');
  const generation = await generationAt(place);
  const context_id = randomUUID();
  socket.send({ ...generation, context_id, continue: true, transcript: 'The quick brown fox ' });
  socket.send({ ...generation, context_id, continue: true, transcript: '', flush: true });
  await socket.event(ofContext(context_id, 'flush_done'));
  socket.send({ ...generation, context_id, continue: false, transcript: 'jumps over the lazy dog.' });
  await socket.event(ofContext(context_id, 'done'));
  const flushes = socket.events.filter(({ type }) => type === 'chunk').map(({ flush_id }) => flush_id);
  t.strictSame(flushes, flushes.toSorted(), 'the chunks of the flush come first');
  t.ok(new Set(flushes).size > 1);
});

everywhere('a cancelled context does no harm to the next one', async (t, place) => {
  const socket = await openSocket(t, place, '/tts/websocket');
  const generation = await generationAt(place);
  const [cancelled, next] = [randomUUID(), randomUUID()];
  socket.send({ ...generation, context_id: cancelled, transcript: `${TEXT} `.repeat(10) });
  await socket.event(ofContext(cancelled, 'chunk'));
  socket.send({ context_id: cancelled, cancel: true });
  socket.send({ ...generation, context_id: next });
  await socket.event(ofContext(next, 'done'));
  t.notOk(socket.events.some(({ type }) => type === 'error'));
});

everywhere('an error names its context, and the socket lives on', async (t, place) => {
  const socket = await openSocket(t, place, '/tts/websocket');
  const generation = await generationAt(place);
  const [wrong, right] = [randomUUID(), randomUUID()];
  socket.send({ ...generation, model_id: 'sonic-0', context_id: wrong });
  const error = await socket.event(({ type }) => type === 'error');
  t.match(error, { done: true, error_code: 'model_not_found', title: /./, message: /./, context_id: wrong });
  t.ok([400, 404].includes(Number(error['status_code'])));
  socket.send({ ...generation, context_id: right });
  await socket.event(ofContext(right, 'done'));
});

everywhere('a token in the address opens a socket', async (t, place) => {
  const access_token = place.isBroker ? place.credential : await tokenAt(place);
  const socket = await openSocket(t, place, '/tts/websocket', { access_token });
  const context_id = randomUUID();
  socket.send({ ...(await generationAt(place)), context_id, transcript: 'Hello.' });
  await socket.event(ofContext(context_id, 'done'));
});

everywhere('a stream is transcribed when the client says so', async (t, place) => {
  const audio = await spokenAt(place);
  const query = { model: 'ink-2', encoding: RAW.encoding, sample_rate: String(RAW.sample_rate) };
  const socket = await openSocket(t, place, '/stt/websocket', query);
  for (const frame of framesOf(audio)) socket.send(frame);
  socket.send('finalize');
  await socket.event(({ type }) => type === 'flush_done');
  socket.send('close');
  await socket.event(({ type }) => type === 'done');
  t.equal(await socket.closed, 1000);
  const final = socket.events.filter(({ type, is_final }) => type === 'transcript' && is_final === true);
  t.strictSame(words(final.map(({ text }) => text).join('')), words(TEXT));
});

everywhere('a stream is transcribed turn by turn', async (t, place) => {
  const audio = await spokenAt(place);
  const query = { model: 'ink-2', encoding: RAW.encoding, sample_rate: String(RAW.sample_rate) };
  const socket = await openSocket(t, place, '/stt/turns/websocket', query);
  for (const frame of framesOf(Buffer.concat([audio, Buffer.alloc(2 * BYTES_PER_SECOND)]))) socket.send(frame);
  const end = await socket.event(({ type }) => type === 'turn.end');
  t.strictSame(words(String(end['transcript'])), words(TEXT));
  t.equal(socket.events[0]?.['type'], 'connected');
  t.ok(socket.events.some(({ type }) => type === 'turn.start'));
  socket.send({ type: 'close' });
  t.equal(await socket.closed, 1000);
});

async function tokenAt({ url, credential }: Place): Promise<string> {
  const response = await fetch(`${url}/access-token`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${credential}`,
      'content-type': 'application/json',
      'cartesia-version': '2026-03-01',
    },
    body: JSON.stringify({ grants: { tts: true }, expires_in: 60 }),
  });
  return ((await response.json()) as { token: string }).token;
}
