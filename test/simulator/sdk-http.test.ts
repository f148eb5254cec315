// The official SDKs against the simulator over HTTP, with only their base URL changed.

import { APIConnectionError, APIError, Cartesia } from '@cartesia/cartesia-js';
import { APIError as APIError3, Cartesia as Cartesia3 } from 'cartesia-js-3';
import { test } from 'tap';
import { decodeSamples } from '../../src/simulator/audio/encodings.ts';
import { readRecording } from '../../src/simulator/audio/recording.ts';
import { transcribe } from '../../src/simulator/audio/transcriber.ts';
import type { AnswerFault } from '../../src/simulator/faults.ts';
import type { Simulator } from '../../src/simulator/simulator.ts';
import { recording, simulatorFor, VOICE } from './call.ts';

const SDKS = [
  { name: '4.2.0', Client: Cartesia, SdkError: APIError, version: '2026-08-14', structured: true },
  // The methods used here are those of 4.2.0; only its union types of voices and models differ.
  {
    name: '3.5.1',
    Client: Cartesia3 as unknown as typeof Cartesia,
    SdkError: APIError3 as unknown as typeof APIError,
    version: '2025-11-04',
    structured: false,
  },
] as const;

const TEXT = 'Hello from the kit.';
const WAV = { container: 'wav', encoding: 'pcm_s16le', sample_rate: 24_000 } as const;
const RAW = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 } as const;
const SPEECH = { model_id: 'sonic-3', transcript: TEXT, voice: { mode: 'id', id: VOICE } } as const;

for (const { name, Client, SdkError, version, structured } of SDKS) {
  const clientOf = (
    simulator: Simulator,
    credential: { apiKey?: string; token?: string } = { apiKey: simulator.apiKey },
  ) => new Client({ baseURL: simulator.url, maxRetries: 0, ...credential });

  test(`${name}: a key mints a token, and the token can synthesize speech`, async (t) => {
    const simulator = await simulatorFor(t);
    const { token } = await clientOf(simulator).accessToken.create({ grants: { tts: true }, expires_in: 60 });
    const response = await clientOf(simulator, { token }).tts.generate({ ...SPEECH, output_format: WAV });
    t.equal(response.headers.get('content-type'), 'audio/wav');
    const heard = await readRecording(Buffer.from(await response.arrayBuffer()));
    t.equal(heard && transcribe(heard.samples, heard.sampleRate).text, TEXT);
    const [minted, spoken] = simulator.journal.entries();
    t.equal(minted?.headers['cartesia-version'], version, 'the version that the SDK sends');
    t.match(spoken?.headers, { authorization: `Bearer ${token}`, accept: 'audio/wav' });
  });

  test(`${name}: speech arrives as events with word times`, async (t) => {
    const simulator = await simulatorFor(t);
    const stream = await clientOf(simulator).tts.generateSSE({ ...SPEECH, output_format: RAW, add_timestamps: true });
    const audio: Buffer[] = [];
    const words: string[] = [];
    let last = '';
    for await (const event of stream) {
      last = event.type;
      if (event.type === 'chunk') audio.push(Buffer.from(event.data, 'base64'));
      if (event.type === 'timestamps') words.push(...(event.word_timestamps?.words ?? []));
    }
    t.equal(last, 'done');
    t.strictSame(words, ['Hello', 'from', 'the', 'kit.']);
    t.equal(transcribe(decodeSamples(Buffer.concat(audio), 'pcm_s16le'), 16_000).text, TEXT);
  });

  test(`${name}: the framing of events makes no difference`, async (t) => {
    const simulator = await simulatorFor(t);
    for (const framing of ['data', 'error_event', 'event'] as const) {
      for (const lineEnd of ['lf', 'crlf'] as const) {
        simulator.configure({ sse: { framing, lineEnd } });
        const types = [];
        for await (const event of await clientOf(simulator).tts.generateSSE({ ...SPEECH, output_format: RAW }))
          types.push(event.type);
        t.strictSame([...new Set(types)], ['chunk', 'done'], `${framing} ${lineEnd}`);
      }
    }
  });

  test(`${name}: an error during the events is an event, not an exception`, async (t) => {
    const simulator = await simulatorFor(t);
    simulator.faults.add({ match: {}, action: { type: 'error_event', afterEvents: 1, problem: 'unexpected' } });
    const events = [];
    for await (const event of await clientOf(simulator).tts.generateSSE({ ...SPEECH, output_format: RAW }))
      events.push(event);
    t.equal(events.length, 2);
    const legacy = { type: 'error', status_code: 500, error: /^Unexpected error: / };
    t.match(events[1], structured ? { type: 'error', status_code: 500, title: 'Unexpected error' } : legacy);
  });

  test(`${name}: a recording is transcribed`, async (t) => {
    const simulator = await simulatorFor(t);
    const file = new File([await recording(simulator, TEXT)], 'hello.wav');
    const { token } = await clientOf(simulator).accessToken.create({ grants: { stt: true }, expires_in: 60 });
    const heard = await clientOf(simulator, { token }).stt.transcribe({
      file,
      model: 'ink-whisper',
      language: 'en',
      timestamp_granularities: ['word'],
    });
    t.match(heard, { text: TEXT, language: 'en', ...(structured ? { type: 'transcript' } : {}) });
    t.strictSame(
      heard.words?.map(({ word }) => word),
      ['Hello', 'from', 'the', 'kit.'],
    );
  });

  test(`${name}: raw audio is transcribed if its encoding is given`, async (t) => {
    const simulator = await simulatorFor(t);
    const response = await clientOf(simulator).tts.generate({ ...SPEECH, output_format: RAW });
    const file = new File([Buffer.from(await response.arrayBuffer())], 'hello.raw');
    const heard = await clientOf(simulator).stt.transcribe({
      file,
      model: 'ink-whisper',
      encoding: 'pcm_s16le',
      sample_rate: 16_000,
    });
    t.equal(heard.text, TEXT);
  });

  test(`${name}: all pages of voices are walked`, async (t) => {
    const simulator = await simulatorFor(t);
    const ids = [];
    for await (const voice of clientOf(simulator).voices.list({ limit: 3 })) ids.push(voice.id);
    t.equal(new Set(ids).size, 4);
    t.equal((await clientOf(simulator).voices.get(VOICE)).id, VOICE);
  });

  test(`${name}: a recording is converted to another voice`, async (t) => {
    const simulator = await simulatorFor(t);
    const clip = new File([await recording(simulator, TEXT)], 'clip.wav');
    const wish = {
      clip,
      'voice[id]': VOICE,
      'output_format[container]': 'wav',
      'output_format[sample_rate]': 24_000,
    } as const;
    const response = await clientOf(simulator).voiceChanger.generate({
      ...wish,
      'output_format[encoding]': 'pcm_s16le',
    });
    const heard = await readRecording(Buffer.from(await response.arrayBuffer()));
    t.equal(heard && transcribe(heard.samples, heard.sampleRate).text, TEXT);
  });

  test(`${name}: each status becomes its error class, with the message of the version's form`, async (t) => {
    const simulator = await simulatorFor(t);
    const cases = [
      [400, 'BadRequestError'],
      [401, 'AuthenticationError'],
      [402, 'APIError'],
      [403, 'PermissionDeniedError'],
      [404, 'NotFoundError'],
      [409, 'ConflictError'],
      [413, 'APIError'],
      [422, 'UnprocessableEntityError'],
      [429, 'RateLimitError'],
      [500, 'InternalServerError'],
      [503, 'InternalServerError'],
    ] as const;
    for (const [status, className] of cases) {
      simulator.faults.add({
        match: {},
        times: 1,
        action: { type: 'answer', status, code: 'some_code', title: 'T', message: 'M' },
      });
      const error = await clientOf(simulator)
        .accessToken.create({})
        .catch((cause: unknown) => cause);
      t.ok(error instanceof SdkError);
      if (!(error instanceof SdkError)) continue;
      t.strictSame([error.status, error.constructor.name], [status, className]);
      t.equal(error.message, structured ? `${status} M` : `${status} T: M`);
      const request_id = error.headers?.get('x-request-id');
      t.strictSame(
        error.error,
        structured ? { error_code: 'some_code', title: 'T', message: 'M', request_id } : undefined,
      );
    }
  });

  test(`${name}: the simulator's own refusals arrive with their status`, async (t) => {
    const simulator = await simulatorFor(t);
    const speak = (client: Cartesia) => client.tts.generate({ ...SPEECH, output_format: WAV });
    const statusOf = (result: Promise<unknown>) =>
      result.then(
        () => 200,
        (error: unknown) => (error instanceof SdkError ? error.status : error),
      );
    t.equal(await statusOf(speak(clientOf(simulator, { apiKey: 'sk_car_wrong' }))), 401);
    t.equal(await statusOf(speak(clientOf(simulator, { token: simulator.mintToken({ grants: { stt: true } }) }))), 403);
    t.equal(await statusOf(clientOf(simulator).accessToken.create({ grants: { tts: true }, expires_in: 3_601 })), 400);
    simulator.configure({ credits: 0 });
    t.equal(await statusOf(speak(clientOf(simulator))), 402);
    simulator.configure({ limits: { tts: 0 } });
    t.equal(await statusOf(speak(clientOf(simulator))), 429);
  });

  test(`${name}: some statuses are retried twice, and x-should-retry overrides the choice`, async (t) => {
    const simulator = await simulatorFor(t);
    const triesFor = async (action: Partial<AnswerFault>) => {
      simulator.journal.clear();
      simulator.faults.clear();
      const headers = { 'retry-after-ms': '1', ...action.headers };
      simulator.faults.add({ match: {}, action: { type: 'answer', status: 500, ...action, headers } });
      const client = new Client({ apiKey: simulator.apiKey, baseURL: simulator.url });
      await t.rejects(client.accessToken.create({}));
      return simulator.journal.entries().length;
    };
    for (const status of [408, 409, 429, 500, 502, 503]) t.equal(await triesFor({ status }), 3, `${status}`);
    for (const status of [400, 401, 402, 403, 404, 413, 422]) t.equal(await triesFor({ status }), 1, `${status}`);
    t.equal(await triesFor({ status: 429, headers: { 'x-should-retry': 'false' } }), 1);
    t.equal(await triesFor({ status: 402, headers: { 'x-should-retry': 'true' } }), 3);
    const counts = simulator.journal.entries().map(({ headers }) => headers['x-stainless-retry-count']);
    t.strictSame(counts, ['0', '1', '2']);
  });

  test(`${name}: a broken connection is retried, and then becomes an APIConnectionError`, async (t) => {
    const simulator = await simulatorFor(t);
    simulator.faults.add({ match: { path: '/access-token' }, times: 1, action: { type: 'refuse' } });
    const client = new Client({ apiKey: simulator.apiKey, baseURL: simulator.url, maxRetries: 1 });
    t.match(await client.accessToken.create({ grants: { tts: true }, expires_in: 60 }), { token: String });
    simulator.faults.add({ match: {}, action: { type: 'half_close', at: 'before_headers' } });
    const error = await clientOf(simulator)
      .accessToken.create({})
      .catch((cause: unknown) => cause);
    t.equal((error as Error).constructor.name, APIConnectionError.name);
  });

  test(`${name}: a load balancer's page becomes the message, without an error object`, async (t) => {
    const simulator = await simulatorFor(t);
    simulator.faults.add({ match: {}, action: { type: 'answer', status: 502, html: true, title: 'Bad Gateway' } });
    const error = await clientOf(simulator)
      .accessToken.create({})
      .catch((cause: unknown) => cause);
    t.match(error, { status: 502, error: undefined, message: /^502 <html>/ });
  });
}

test('4.2.0: given a key and a token, HTTP sends the key', async (t) => {
  const simulator = await simulatorFor(t);
  const client = new Cartesia({ baseURL: simulator.url, apiKey: simulator.apiKey, token: 'x.y.z' });
  await client.voices.list();
  t.equal(simulator.journal.entries()[0]?.headers['authorization'], `Bearer ${simulator.apiKey}`);
});
