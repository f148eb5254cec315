import { test } from 'tap';
import { readRecording } from '../../../src/simulator/audio/recording.ts';
import { transcribe } from '../../../src/simulator/audio/transcriber.ts';
import { call, form, recording, simulatorFor, VOICE } from '../call.ts';

const FORMAT = {
  'output_format[container]': 'wav',
  'output_format[encoding]': 'pcm_s16le',
  'output_format[sample_rate]': '24000',
};

async function textOf(bytes: Buffer): Promise<string | undefined> {
  const heard = await readRecording(bytes);
  return heard && transcribe(heard.samples, heard.sampleRate).text.trim();
}

test('a recording is converted to another voice', async (t) => {
  const simulator = await simulatorFor(t);
  const clip = await recording(simulator, 'Say it again.');
  simulator.resetCounters();
  const changed = async (voice: string) => {
    const body = form({ clip, 'voice[id]': voice, ...FORMAT });
    return (await call(simulator, 'POST /voice-changer/bytes', { body })).bytes;
  };
  const first = await changed(VOICE);
  t.equal(await textOf(first), 'Say it again.');
  t.notOk(first.equals(await changed('694f9389-aac1-45b6-b726-9d9369183238')));
  t.ok(simulator.counters().creditsSpent > 15, '15 credits per second');
});

test('events of the voice changer have no type', async (t) => {
  const simulator = await simulatorFor(t);
  const clip = await recording(simulator, 'Again.');
  const body = form({ clip, 'voice[id]': VOICE, ...FORMAT, 'output_format[container]': 'raw' });
  const { text } = await call(simulator, 'POST /voice-changer/sse', { body });
  const events = text
    .trim()
    .split('\n\n')
    .map((event) => JSON.parse(event.slice('data: '.length)) as object);
  t.match(events[0], { done: false, status_code: 206, step_time: Number, data: String, sample_rate: 24_000 });
  t.strictSame(events.at(-1), { done: true, status_code: 200 });
  t.ok(events.every((event) => !Object.hasOwn(event, 'type')));
});

test('text is spoken between two recordings', async (t) => {
  const simulator = await simulatorFor(t);
  const left_audio = await recording(simulator, 'Before.');
  simulator.resetCounters();
  const body = form({
    left_audio,
    transcript: 'Between.',
    voice_id: VOICE,
    model_id: 'sonic-3',
    language: 'en',
    ...FORMAT,
  });
  const answer = await call(simulator, 'POST /infill/bytes', { body });
  t.equal(await textOf(answer.bytes), 'Between.');
  t.equal(simulator.counters().creditsSpent, 308);
});

test('the fault in an invalid request is named, and no slot stays taken', async (t) => {
  const simulator = await simulatorFor(t);
  const clip = await recording(simulator, 'Hi.');
  const cases: readonly [target: string, body: FormData | string, match: Record<string, unknown>][] = [
    ['POST /voice-changer/bytes', form({ 'voice[id]': VOICE, ...FORMAT }), { message: '✖ Required\n  → at clip' }],
    [
      'POST /voice-changer/bytes',
      form({ clip: Buffer.from('x'), 'voice[id]': VOICE }),
      { error_code: 'unsupported_audio_format' },
    ],
    ['POST /voice-changer/bytes', form({ clip, ...FORMAT }), { message: '✖ Required\n  → at voice.id' }],
    ['POST /voice-changer/sse', form({ clip, 'voice[id]': 'nobody' }), { error_code: 'voice_not_found' }],
    ['POST /voice-changer/bytes', '{}', { message: 'Expected multipart/form-data.' }],
    [
      'POST /infill/bytes',
      form({ transcript: 'x', voice_id: VOICE }),
      { message: '✖ left_audio or right_audio is required' },
    ],
    [
      'POST /infill/bytes',
      form({ left_audio: clip, voice_id: VOICE }),
      { message: '✖ must not be empty\n  → at transcript' },
    ],
  ];
  for (const [target, body, match] of cases) {
    t.match(await call(simulator, target, { body }), { status: 400, json: match });
  }
  t.equal(simulator.counters().tts.active, 0);
});
