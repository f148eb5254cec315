// Usage in metrics and in the audit line, compared with what Cartesia itself counted, and the memory that carrying takes.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'tap';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { startRawUpstream } from '../upstream/raw-upstream.ts';
import {
  lineOf,
  open,
  recordingForm,
  SPEECH,
  send,
  spokenWav,
  startCarrying,
  until,
  untilQuiet,
  usageOf,
} from './carried-broker.ts';
import { measuredProcess } from './measured-process.ts';

const TRANSCRIPTS = [
  'Hello.',
  'Café – 😀 👩‍👩‍👧',
  '日本語のテキスト。',
  'The word data is no audio: "data".',
  `${' '.repeat(3)}x`,
];

test('characters are what Cartesia charges, and bytes are what it sent', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token } = running;
  for (const path of ['/tts/bytes', '/tts/sse']) {
    simulator.resetCounters();
    simulator.journal.clear();
    let audioBytes = 0;
    for (const transcript of TRANSCRIPTS) {
      running.logs.length = 0;
      const answer = await send(`${broker.url}${path}`, {
        credential: token,
        json: { ...SPEECH, transcript, add_timestamps: true, context_id: 'data' },
      });
      t.equal(answer.status, 200);
      const audio = path === '/tts/bytes' ? answer.body.length : audioIn(answer.body);
      audioBytes += audio;
      t.match(await lineOf(running, path), {
        audit: 'usage',
        outcome: 'ok',
        client: 'kiosk',
        subject: String,
        characters: [...transcript].length,
        audio_bytes: audio,
        audio_seconds: Math.round((audio / 48_000) * 1000) / 1000,
        upstream_request_id: simulator.journal.entries({ path }).at(-1)?.requestId,
      });
    }
    const used = await usageOf(running, path);
    t.equal(used['characters'], simulator.counters().creditsSpent, 'one credit a character');
    t.equal(used['requests'], TRANSCRIPTS.length);
    t.equal(used['audio_bytes'], audioBytes);
    t.ok(Math.abs((used['audio_seconds'] ?? 0) - audioBytes / 48_000) < 1e-6);
    if (path === '/tts/bytes') {
      const sent = simulator.journal.entries({ path }).reduce((sum, { bytesOut }) => sum + bytesOut, 0);
      t.equal(used['audio_bytes'], sent);
    }
  }
  await untilQuiet(running, 1);
});

test('audio seconds follow the output format', async (t) => {
  const running = await startCarrying(t);
  const { broker, token } = running;
  const seconds: number[] = [];
  for (const output_format of [
    { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 },
    { container: 'wav', encoding: 'pcm_s16le', sample_rate: 44_100 },
    { container: 'wav', encoding: 'pcm_f32le', sample_rate: 16_000 },
    { container: 'raw', encoding: 'pcm_mulaw', sample_rate: 8000 },
    { container: 'mp3', sample_rate: 44_100, bit_rate: 128_000 },
  ]) {
    running.logs.length = 0;
    await send(`${broker.url}/tts/bytes`, { credential: token, json: { ...SPEECH, output_format } });
    seconds.push(Number((await lineOf(running, '/tts/bytes'))['audio_seconds']));
  }
  const [first = 0] = seconds;
  t.ok(first > 1);
  // The same words take the same time; mp3 pads its frames.
  for (const one of seconds) t.ok(Math.abs(one - first) < 0.12, seconds.join());
});

test('a transcription counts by the audio that Cartesia says it heard', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token } = running;
  const wav = await spokenWav(simulator);
  simulator.resetCounters();
  const answer = await send(`${broker.url}/stt`, { credential: token, ...recordingForm(wav) });
  const { duration } = JSON.parse(answer.body.toString()) as { duration: number };
  t.ok(duration > 1);
  t.equal((await usageOf(running, '/stt'))['audio_seconds'], duration);
  t.ok(Math.abs(simulator.counters().creditsSpent - duration / 2) < 0.001, 'half a credit a second');
  t.match(await lineOf(running, '/stt'), {
    audit: 'usage',
    characters: 0,
    audio_bytes: 0,
    audio_seconds: Math.round(duration * 1000) / 1000,
  });
});

test('a transcription whose answer gives no duration counts by its recording', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token } = running;
  const wav = await spokenWav(simulator);
  simulator.resetCounters();
  const form = recordingForm(wav, { model: 'ink-whisper', response_format: 'json' });
  const answer = await send(`${broker.url}/audio/transcriptions`, { credential: token, ...form });
  t.strictSame(Object.keys(JSON.parse(answer.body.toString()) as object), ['text']);
  const { creditsSpent } = simulator.counters();
  const { audio_seconds: seconds = 0, requests } = await usageOf(running, '/audio/transcriptions');
  t.equal(requests, 1);
  t.ok(Math.abs(creditsSpent - seconds / 2) < 0.01, `${seconds} s, ${creditsSpent} credits`);
});

test('a recording is as long as Cartesia is told to read it, whatever header it has', async (t) => {
  const running = await startCarrying(t);
  const { broker, simulator, token } = running;
  const header = Buffer.from(
    'RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\x20\0data',
    'latin1',
  );
  const form = recordingForm(Buffer.concat([header, Buffer.alloc(80_000, 0xff)]), {
    model: 'ink-whisper',
    response_format: 'json',
  });
  const path = '/audio/transcriptions';
  const answer = await send(`${broker.url}${path}?encoding=pcm_mulaw&sample_rate=8000`, { credential: token, ...form });
  t.equal(answer.status, 200);
  const { audio_seconds: seconds = 0 } = await usageOf(running, path);
  t.ok(seconds > 10, `${seconds} s`);
  t.equal(seconds, simulator.counters().creditsSpent * 2, 'half a credit a second');
});

test('the encoding of a raw recording must be given once and unambiguously', async (t) => {
  const { broker, simulator, token } = await startCarrying(t);
  const form = recordingForm(Buffer.alloc(32_000), { model: 'ink-whisper' });
  const statusOf = async (query: string) =>
    (await send(`${broker.url}/stt?${query}`, { credential: token, ...form })).status;
  t.equal(await statusOf('encoding=pcm_s16le&sample_rate=16000'), 200);
  const { length } = simulator.journal.entries({ path: '/stt' });
  for (const query of [
    'encoding=pcm_s16le&sample_rate=016000',
    'encoding=pcm_f32le&encoding=pcm_mulaw&sample_rate=8000',
    'encoding=pcm_f32le&Encoding=pcm_mulaw&sample_rate=8000',
  ])
    t.equal(await statusOf(query), 400, query);
  t.equal(simulator.journal.entries({ path: '/stt' }).length, length, 'Cartesia has seen none of them');
});

test('what Cartesia refuses is not counted; what it began is', async (t) => {
  const running = await startCarrying(t, { simulator: { settings: { latency: { perChunkMs: 20 } } } });
  const { broker, simulator, token } = running;
  simulator.faults.add({ match: {}, times: 3, action: { type: 'answer', status: 429 } });
  for (let i = 0; i < 3; i += 1) await send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  t.match(await lineOf(running, '/tts/bytes'), { status: 429, outcome: 'upstream_error', audit: 'refusal' });
  const action = { type: 'error_event', afterEvents: 0, problem: 'voice_not_found' } as const;
  simulator.faults.add({ match: {}, times: 1, action });
  await send(`${broker.url}/tts/sse`, { credential: token, json: SPEECH });
  t.match(await lineOf(running, '/tts/sse'), { status: 200, outcome: 'voice_not_found', audit: undefined });
  for (const path of ['/tts/bytes', '/tts/sse']) t.strictSame(await usageOf(running, path), {}, path);
  simulator.faults.add({ match: {}, times: 1, action: { ...action, afterEvents: 1 } });
  await send(`${broker.url}/tts/sse`, { credential: token, json: SPEECH });
  await until(
    () => running.logs.filter(({ route, msg }) => route === '/tts/sse' && msg === 'request').length === 2,
    'line',
  );
  t.match(await usageOf(running, '/tts/sse'), { requests: 1, characters: SPEECH.transcript.length }, 'some was spoken');
  simulator.resetCounters();

  const response = await open(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });
  response.on('error', () => {});
  let received = 0;
  response.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await until(() => received > 20_000, 'audio');
  response.destroy();
  await untilQuiet(running, 0);
  const used = await usageOf(running, '/tts/bytes');
  t.equal(
    used['characters'],
    simulator.counters().creditsSpent,
    'Cartesia charges for speech that the client did not wait for',
  );
  t.ok((used['audio_bytes'] ?? 0) >= received && (used['audio_bytes'] ?? 0) < 100_000, `${used['audio_bytes']} bytes`);
});

test('speech counts once Cartesia has accepted it, even if the client leaves before any of it has come', async (t) => {
  const types: Readonly<Record<string, string>> = { '/tts/bytes': 'audio/raw', '/tts/sse': 'text/event-stream' };
  const upstream = await startRawUpstream(({ socket, head }) => {
    const type = types[head.split(' ')[1] ?? ''];
    socket.write(`HTTP/1.1 200 OK\r\nContent-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n`);
  });
  t.teardown(() => upstream.close());
  const running = await startCarrying(t, { env: { CARTESIA_BASE_URL: upstream.url } });
  for (const path of Object.keys(types)) {
    const response = await open(`${running.broker.url}${path}`, { credential: running.token, json: SPEECH });
    response.on('error', () => {}).destroy();
    t.match(await lineOf(running, path), { outcome: 'aborted' });
    t.match(await usageOf(running, path), { characters: SPEECH.transcript.length }, path);
  }
});

test('a request that the client leaves before it was sent to Cartesia is not counted', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1'); // never answers the handshake
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const running = await startCarrying(t, { env: { CARTESIA_BASE_URL: `https://127.0.0.1:${port}` } });
  const { broker, token } = running;
  const gone = new AbortController();
  const call = send(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH, signal: gone.signal });
  const [connection] = await once(silent, 'connection');
  t.teardown(() => connection.destroy());
  gone.abort();
  await t.rejects(call);
  t.match(await lineOf(running, '/tts/bytes'), { outcome: 'aborted' });
  t.strictSame(await usageOf(running, '/tts/bytes'), {});
});

test('200 slow streams, a tenth of them never read: memory stays flat', async (t) => {
  const STREAMS = 200;
  const simulator = await startSimulator({
    tlsPort: null,
    plan: 'scale',
    settings: { limits: { tts: STREAMS }, latency: { perChunkMs: 100 }, chunkBytes: 4800 },
  });
  t.teardown(() => simulator.close());
  const appKey = createAppKey();
  // In a process of its own, so that nothing else is in its memory.
  const broker = measuredProcess(t, {
    env: {
      CARTESIA_API_KEY: simulator.apiKey,
      CARTESIA_BASE_URL: simulator.url,
      CARTESIA_ALLOW_INSECURE: 'true',
      CLIENT_KEYS: `kiosk=sha256:${appKeyDigest(appKey)}`,
      PROXY: 'true',
      PORT: '0',
      MANAGEMENT_PORT: '0',
    },
  });
  const { url, managementUrl } = await broker.listening;
  const resident = async (): Promise<number> => {
    const metrics = (await send(`${managementUrl}/metrics`)).body.toString();
    return Number(/^process_resident_memory_bytes (\S+)/m.exec(metrics)?.[1]) / MIB;
  };
  const json = { ...SPEECH, transcript: 'The quick brown fox jumps over the lazy dog. '.repeat(30) };
  const responses = await Promise.all(
    Array.from({ length: STREAMS }, () => open(`${url}/tts/bytes`, { credential: appKey, json })),
  );
  // A sample whenever 4 MiB more have arrived. Live bytes are judged, not resident ones: V8 grows its heap when it sees fit.
  const alive: number[] = [];
  let received = 0;
  let awaited = Promise.withResolvers<void>();
  for (const [at, response] of responses.entries()) {
    response.on('error', () => {});
    if (at % 10 === 0) continue;
    response.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received > (alive.length + 1) * 4 * MIB) awaited.resolve();
    });
  }
  let residentMax = 0;
  while (alive.length < 8) {
    await awaited.promise;
    residentMax = Math.max(residentMax, await resident());
    alive.push((await broker.aliveBytes()) / MIB);
    awaited = Promise.withResolvers<void>();
  }
  t.equal(simulator.counters().tts.active, STREAMS, 'all of them are still going on');
  t.comment(`${alive.map((mib) => mib.toFixed(1)).join(', ')} MiB alive; ${residentMax.toFixed(0)} MiB resident`);
  const growth = Math.max(...alive.slice(4)) - Math.max(...alive.slice(0, 4));
  t.ok(growth < 8, `${growth.toFixed(1)} MiB more in the second half`);
  t.ok(residentMax < 300, `${residentMax} MiB`);
  for (const response of responses) response.destroy();
  await until(() => simulator.counters().tts.active === 0 && simulator.counters().openConnections === 0, 'end');
});

const MIB = 1024 * 1024;

/** Bytes of decoded audio in the `chunk` events. */
function audioIn(body: Buffer): number {
  let bytes = 0;
  for (const event of body.toString().split('\n\n').slice(0, -1)) {
    const { type, data } = JSON.parse(event.replace(/^data: /, '')) as { type: string; data?: string };
    if (type === 'chunk') bytes += Buffer.from(String(data), 'base64').length;
  }
  return bytes;
}
