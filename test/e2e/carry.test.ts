// The official SDKs, given only the response to a proxied mint, get from the broker byte for byte what Cartesia itself would give them.
import { createHash } from 'node:crypto';
import { Cartesia } from '@cartesia/cartesia-js';
import { Cartesia as Cartesia3 } from 'cartesia-js-3';
import { type Test, test } from 'tap';
import type { AnswerFault } from '../../src/simulator/faults.ts';
import { type CarryingBroker, SPEECH, startCarrying, untilQuiet, VOICE } from './carried-broker.ts';

/** Both have the same resources; their types differ in details not used here. */
const SDKS = { '4.2': Cartesia, '3.5': Cartesia3 as unknown as typeof Cartesia };

interface Both {
  readonly running: CarryingBroker;
  /** Made from what the mint returned, and nothing else. */
  readonly carried: Cartesia;
  readonly direct: Cartesia;
}

async function bothWays(t: Test, Sdk: typeof Cartesia): Promise<Both> {
  const running = await startCarrying(t);
  const { broker, simulator, appKey } = running;
  const minted = (await new Sdk({ apiKey: appKey, baseURL: broker.url }).accessToken.create({
    grants: { tts: true, stt: true },
    expires_in: 60,
  })) as unknown as { token: string; base_url: string; delivery: string };
  t.equal(minted.delivery, 'proxied');
  t.equal(minted.base_url, broker.url);
  simulator.journal.clear();
  return {
    running,
    carried: new Sdk({ token: minted.token, baseURL: minted.base_url, maxRetries: 0 }),
    direct: new Sdk({ apiKey: simulator.apiKey, baseURL: simulator.url, maxRetries: 0 }),
  };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function spoken(answer: Response): Promise<object> {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    length: bytes.length,
    sha256: sha256(bytes),
  };
}

const FORMATS = [
  { container: 'wav', encoding: 'pcm_s16le', sample_rate: 24_000 },
  { container: 'wav', encoding: 'pcm_f32le', sample_rate: 44_100 },
  { container: 'wav', encoding: 'pcm_mulaw', sample_rate: 8000 },
  { container: 'raw', encoding: 'pcm_f32le', sample_rate: 16_000 },
  { container: 'raw', encoding: 'pcm_alaw', sample_rate: 8000 },
  { container: 'mp3', sample_rate: 44_100, bit_rate: 128_000 },
] as const;

const RAW = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 } as const;

for (const [name, Sdk] of Object.entries(SDKS)) {
  test(`SDK ${name}: speech in every container is the same to the byte`, async (t) => {
    const { running, carried, direct } = await bothWays(t, Sdk);
    for (const output_format of FORMATS) {
      const wish = { ...SPEECH, output_format };
      t.strictSame(
        await spoken(await carried.tts.generate(wish)),
        await spoken(await direct.tts.generate(wish)),
        JSON.stringify(output_format),
      );
    }
    const [ours, theirs] = running.simulator.journal.entries({ path: '/tts/bytes' });
    t.equal(sha256(Buffer.from(ours?.body ?? '')), sha256(Buffer.from(theirs?.body ?? '')), 'the request is too');
    t.equal(ours?.headers['cartesia-version'], theirs?.headers['cartesia-version'], "the SDK's own version");
    await untilQuiet(running, 99);
  });

  test(`SDK ${name}: events are the same, in each framing, with timestamps`, async (t) => {
    const { running, carried, direct } = await bothWays(t, Sdk);
    const events = async (client: Cartesia): Promise<object[]> => {
      const list: object[] = [];
      const stream = await client.tts.generateSSE({
        ...SPEECH,
        output_format: RAW,
        context_id: 'ctx-1',
        add_timestamps: true,
        add_phoneme_timestamps: true,
      });
      // The time that a step took is the only thing in which two runs differ.
      for await (const event of stream) list.push({ ...event, ...('step_time' in event ? { step_time: 0 } : {}) });
      return list;
    };
    for (const framing of ['data', 'error_event', 'event'] as const) {
      for (const lineEnd of ['lf', 'crlf'] as const) {
        running.simulator.configure({ sse: { framing, lineEnd } });
        const got = await events(carried);
        t.strictSame(got, await events(direct), `${framing}, ${lineEnd}`);
        t.match(got.at(-1), { type: 'done', done: true, context_id: 'ctx-1' });
        t.ok(got.length > 5);
      }
    }
    await untilQuiet(running, 99);
  });

  test(`SDK ${name}: a recording is transcribed alike`, async (t) => {
    const { running, carried, direct } = await bothWays(t, Sdk);
    const wav = await (await direct.tts.generate({ ...SPEECH, output_format: FORMATS[0] })).arrayBuffer();
    const transcribe = async (client: Cartesia) => {
      const { request_id: _, ...transcript } = await client.stt.transcribe({
        file: new File([new Uint8Array(wav)], 'speech.wav', { type: 'audio/wav' }),
        model: 'ink-whisper',
        language: 'en',
        timestamp_granularities: ['word'],
      });
      return transcript;
    };
    const heard = await transcribe(carried);
    t.strictSame(heard, await transcribe(direct));
    t.match(heard, { text: /quick brown fox/, duration: Number });
    t.ok((heard.words?.length ?? 0) > 5);
    const [ours, theirs] = running.simulator.journal.entries({ path: '/stt' });
    t.equal(ours?.bytesIn, theirs?.bytesIn, 'a form of the same length');
    await untilQuiet(running, 99);
  });

  test(`SDK ${name}: the voices are the same`, async (t) => {
    const { running, carried, direct } = await bothWays(t, Sdk);
    const voices = async (client: Cartesia): Promise<unknown[]> => {
      const list: unknown[] = [];
      for await (const voice of client.voices.list({ limit: 2, q: 'a' })) list.push(voice);
      return list;
    };
    const found = await voices(carried);
    t.strictSame(found, await voices(direct), 'over all pages');
    t.ok(found.length > 2);
    const { id } = found[0] as { id: string };
    t.strictSame(await carried.voices.get(id), await direct.voices.get(id));
    const [ours] = running.simulator.journal.entries({ path: '/voices' });
    t.equal(ours?.url, '/voices?limit=2&q=a');
  });

  test(`SDK ${name}: each failure throws the matching error class`, async (t) => {
    const { running, carried } = await bothWays(t, Sdk);
    const { simulator } = running;
    const cases: readonly [string, Omit<AnswerFault, 'type'>][] = [
      ['BadRequestError', { status: 400, code: 'voice_not_found', title: 'Invalid voice', message: 'No.' }],
      ['APIError', { status: 402, code: 'quota_exceeded' }],
      ['PermissionDeniedError', { status: 403, code: 'plan_upgrade_required' }],
      ['NotFoundError', { status: 404, code: 'model_not_found' }],
      ['ConflictError', { status: 409, code: 'busy' }],
      ['UnprocessableEntityError', { status: 422, code: 'odd' }],
      ['RateLimitError', { status: 429, code: 'concurrency_limited', retryAfter: 7 }],
      ['InternalServerError', { status: 500, code: 'unexpected' }],
      ['InternalServerError', { status: 503, html: true }],
    ];
    for (const [className, fault] of cases) {
      // The older SDK asks for a version whose errors are plain text, which carries no code.
      const isLegacy = name === '3.5';
      const rule = simulator.faults.add({ match: {}, action: { type: 'answer', ...fault } });
      const error = await failure(carried.tts.generate(SPEECH));
      rule.remove();
      t.equal(error.constructor.name, className, `${fault.status}`);
      t.match(error, {
        status: fault.status,
        error: {
          error_code: isLegacy || fault.html === true ? null : fault.code,
          title: String,
          message: String,
          source: 'upstream',
          request_id: error.headers?.get('x-request-id'),
        },
      });
      t.ok(error.message.startsWith(`${fault.status} `) && !error.message.includes('<'), error.message);
      t.equal(
        error.headers?.get('retry-after'),
        fault.retryAfter === undefined ? (fault.status === 503 ? '1' : null) : '7',
      );
    }
    const ours: readonly [string, Omit<AnswerFault, 'type'>, number, string][] = [
      ['InternalServerError', { status: 401 }, 502, 'upstream_rejected'],
      ['InternalServerError', { status: 302 }, 502, 'upstream_unavailable'],
    ];
    for (const [className, fault, status, code] of ours) {
      const rule = simulator.faults.add({ match: {}, action: { type: 'answer', ...fault } });
      const error = await failure(carried.tts.generate(SPEECH));
      rule.remove();
      t.equal(error.constructor.name, className);
      t.match(error, { status, error: { error_code: code, source: 'broker' } });
    }
    const stranger = new Sdk({ token: 'nobody', baseURL: running.broker.url, maxRetries: 0 });
    const error = await failure(stranger.tts.generate(SPEECH));
    t.equal(error.constructor.name, 'AuthenticationError');
    t.match(error, { status: 401, error: { error_code: 'unauthenticated' } });
  });

  test(`SDK ${name}: it retries what may succeed, and only that`, async (t) => {
    const { running, carried } = await bothWays(t, Sdk);
    const patient = carried.withOptions({ maxRetries: 2 });
    const { simulator } = running;
    for (const [status, tries] of [
      [429, 2],
      [503, 2],
      [400, 1],
      [402, 1],
    ] as const) {
      simulator.journal.clear();
      const rule = simulator.faults.add({ match: {}, times: 1, action: { type: 'answer', status, retryAfter: 1 } });
      if (tries === 1) await failure(patient.tts.generate({ ...SPEECH, transcript: 'Hi.' }));
      else t.equal((await patient.tts.generate({ ...SPEECH, transcript: 'Hi.' })).status, 200);
      rule.remove();
      t.equal(simulator.journal.entries({ path: '/tts/bytes' }).length, tries, `${status}`);
    }
  });

  test(`SDK ${name}: a stream that breaks off is never a success`, async (t) => {
    const { running, carried } = await bothWays(t, Sdk);
    const { simulator } = running;
    const cut = simulator.faults.add({
      match: { path: '/tts/bytes' },
      action: { type: 'half_close', at: 'body', afterBodyBytes: 20_000 },
    });
    const answer = await carried.tts.generate(SPEECH);
    await t.rejects(answer.arrayBuffer(), 'the body of speech ends in an error');
    cut.remove();
    simulator.faults.add({
      match: { path: '/tts/sse' },
      action: { type: 'truncate_events', afterEvents: 2, partial: true, end: 'fin' },
    });
    const events: { type?: string }[] = [];
    const read = async (): Promise<void> => {
      for await (const event of await carried.tts.generateSSE({ ...SPEECH, output_format: RAW, voice: { id: VOICE } }))
        events.push(event);
    };
    // One version of the SDK yields the event, the other may throw it.
    await read().catch((error: unknown) => events.push({ type: 'error', ...(error as object) }));
    t.match(events.at(-1), { type: 'error' });
    t.notOk(events.some(({ type }) => type === 'done'));
  });
}

interface SdkError extends Error {
  readonly status?: number;
  readonly headers?: Headers;
}

async function failure(promise: Promise<unknown>): Promise<SdkError> {
  try {
    await promise;
  } catch (error) {
    return error as SdkError;
  }
  throw new Error('it succeeded');
}
