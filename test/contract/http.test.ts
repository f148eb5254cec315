// What Cartesia, the simulator and a broker have in common over HTTP.
import {
  BYTES_PER_SECOND,
  call,
  type Event,
  generationAt,
  LEGACY,
  RAW,
  spokenAt,
  TEXT,
  voiceAt,
  words,
} from './calls.ts';
import { everywhere } from './places.ts';

everywhere('the root needs no credential and names a version', async (t, { url }) => {
  const response = await fetch(`${url}/`);
  t.equal(response.status, 200);
  t.match(await response.json(), { ok: true, version: /^\d{4}-\d{2}-\d{2}$/ });
});

everywhere('speech comes in the container that was asked for', async (t, place) => {
  const raw = await spokenAt(place);
  const seconds = raw.length / BYTES_PER_SECOND;
  t.ok(seconds > 1 && seconds < 10, `${seconds} s of raw audio`);
  const formats = [
    [{ ...RAW, container: 'wav' }, /^RIFF[\s\S]{4}WAVE/],
    [{ container: 'mp3', sample_rate: 44_100, bit_rate: 128_000 }, /^(?:ID3|\xff[\xe2-\xff])/],
  ] as const;
  for (const [output_format, start] of formats) {
    const response = await call(place, '/tts/bytes', { json: await generationAt(place, { output_format }) });
    t.equal(response.status, 200, output_format.container);
    t.match(response.headers.get('content-type'), /^audio\//);
    t.match(Buffer.from(await response.arrayBuffer()).toString('latin1', 0, 16), start);
  }
});

everywhere('speech comes as events, with the times of the words', async (t, place) => {
  const json = await generationAt(place, { add_timestamps: true });
  const response = await call(place, '/tts/sse', { json });
  t.equal(response.status, 200);
  t.match(response.headers.get('content-type'), /^text\/event-stream/);
  const lines = (await response.text()).split(/\r?\n/).filter((line) => line.startsWith('data:'));
  const events = lines.map((line) => JSON.parse(line.slice('data:'.length)) as Event);
  t.equal(events.at(-1)?.['type'], 'done');
  t.equal(events.filter(({ type }) => type === 'done').length, 1);
  const seconds = audioOf(events).length / BYTES_PER_SECOND;
  t.ok(seconds > 1 && seconds < 10, `${seconds} s of audio`);
  const timed = events.flatMap(({ word_timestamps: times }) => (times ?? []) as { words: string[]; start: number[] });
  t.strictSame(words(timed.flatMap((times) => times.words).join(' ')), words(TEXT));
  const starts = timed.flatMap(({ start }) => start);
  t.equal(starts.length, words(TEXT).length);
  t.strictSame(
    starts,
    starts.toSorted((a, b) => a - b),
  );
  t.ok((starts.at(-1) ?? Number.POSITIVE_INFINITY) < seconds);
});

everywhere('what was spoken is transcribed', async (t, place) => {
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(await spokenAt(place))]), 'speech.raw');
  form.append('model', 'ink-whisper');
  form.append('language', 'en');
  const query = new URLSearchParams({ encoding: RAW.encoding, sample_rate: String(RAW.sample_rate) });
  const response = await call(place, `/stt?${query}`, { form });
  t.equal(response.status, 200);
  const heard = (await response.json()) as { text: string };
  t.strictSame(words(heard.text), words(TEXT));
});

everywhere('voices are listed in pages, and shown one by one', async (t, place) => {
  const page = (await (await call(place, '/voices?limit=2')).json()) as { data: { id: string }[]; has_more: boolean };
  t.equal(page.data.length, 2);
  t.equal(page.has_more, true);
  const [, second] = page.data;
  const next = await call(place, `/voices?limit=2&starting_after=${second?.id}`);
  const more = (await next.json()) as { data: { id: string }[] };
  t.ok(more.data.length > 0);
  t.notOk(
    more.data.some(({ id }) => page.data.some((one) => one.id === id)),
    'the next page has others',
  );
  const id = await voiceAt(place);
  t.match(await (await call(place, `/voices/${id}`)).json(), { id, name: /./ });
});

everywhere('an unknown model is an error with a code', async (t, place) => {
  const json = await generationAt(place, { model_id: 'sonic-0' });
  const response = await call(place, '/tts/bytes', { json });
  t.ok([400, 404].includes(response.status), `status ${response.status}`);
  t.match(await response.json(), { error_code: 'model_not_found', title: /./, message: /./, request_id: /./ });
});

everywhere('with an old version the error is a text, which a broker gives the newer shape', async (t, place) => {
  const json = await generationAt(place, { model_id: 'sonic-0' });
  const response = await call(place, '/tts/bytes', { json, version: LEGACY });
  t.ok([400, 404].includes(response.status), `status ${response.status}`);
  const body = await response.text();
  if (place.isBroker) t.match(JSON.parse(body), { title: /./, message: /./, source: 'upstream' });
  else t.match(body, /^[^{]+: ./, 'Title: Message');
});

everywhere('a wrong credential is refused', async (t, place) => {
  const json = await generationAt(place);
  const response = await call(place, '/tts/bytes', { json, credential: 'sk_car_wrong' });
  t.equal(response.status, 401);
  t.match(await response.json(), { title: /./, message: /./ });
});

function audioOf(events: readonly Event[]): Buffer {
  const chunks = events.filter(({ type }) => type === 'chunk');
  return Buffer.concat(chunks.map(({ data }) => Buffer.from(String(data), 'base64')));
}
