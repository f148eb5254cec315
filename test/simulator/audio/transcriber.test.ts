import { test } from 'tap';
import { synthesise } from '../../../src/simulator/audio/synthesiser.ts';
import { createTranscriber, transcribe } from '../../../src/simulator/audio/transcriber.ts';

const SAMPLE_RATE = 16_000;
const FRAME = SAMPLE_RATE / 10;

test('words are timed to within two hundredths of a second', (t) => {
  for (const sampleRate of [8_000, 11_025, 22_050, 24_000, 44_100]) {
    const said = synthesise({ transcript: 'How are you  doing today? 元気 ですか', voiceId: 'any', sampleRate });
    const heard = transcribe(said.samples, sampleRate);
    t.same(
      heard.words.map(({ word }) => word),
      ['How', 'are', 'you', 'doing', 'today?', '元気', 'ですか'],
    );
    for (const [index, { start, end }] of said.words.entries()) {
      t.ok(Math.abs((heard.words[index]?.start ?? -1) - start) <= 0.02, `start of word ${index} at ${sampleRate} Hz`);
      t.ok(Math.abs((heard.words[index]?.end ?? -1) - end) <= 0.02, `end of word ${index} at ${sampleRate} Hz`);
    }
  }
  t.end();
});

test('partial results grow frame by frame, and are never taken back', (t) => {
  const { samples } = synthesise({ transcript: 'Partial results grow.', voiceId: 'any', sampleRate: SAMPLE_RATE });
  const transcriber = createTranscriber(SAMPLE_RATE);
  const partials: string[] = [];
  for (let at = 0; at < samples.length; at += FRAME) {
    const before = transcriber.peek().text;
    const grew = transcriber.push(samples.subarray(at, at + FRAME));
    const { text } = transcriber.peek();
    t.ok(text.startsWith(before));
    t.equal(grew, text !== before);
    partials.push(text);
  }
  t.ok(new Set(partials).size > 8, 'there are many partial results');
  t.equal(transcriber.take().text, 'Partial results grow.');
  t.end();
});

test('text that was taken is not returned again, and times count from the start of the audio', (t) => {
  const first = synthesise({ transcript: 'One two', voiceId: 'any', sampleRate: SAMPLE_RATE });
  const second = synthesise({ transcript: ' three', voiceId: 'any', sampleRate: SAMPLE_RATE });
  const transcriber = createTranscriber(SAMPLE_RATE);
  transcriber.push(first.samples);
  t.equal(transcriber.take().text, 'One two');
  t.same(transcriber.peek(), { text: '', words: [] });
  transcriber.push(second.samples);
  const { text, words } = transcriber.take();
  t.equal(text, ' three');
  t.ok(Math.abs((words[0]?.start ?? 0) - (first.samples.length / SAMPLE_RATE + 0.09)) < 0.02);
  t.end();
});

test('silence is measured from the end of the last character', (t) => {
  const { samples, words } = synthesise({ transcript: 'Hush.', voiceId: 'any', sampleRate: SAMPLE_RATE });
  const transcriber = createTranscriber(SAMPLE_RATE);
  transcriber.push(new Float32Array(SAMPLE_RATE / 2));
  t.equal(transcriber.silentSeconds, 0.5, 'nothing was said yet');
  transcriber.push(samples);
  transcriber.push(new Float32Array(SAMPLE_RATE));
  const expected = 1 + samples.length / SAMPLE_RATE - (words[0]?.end ?? 0);
  t.ok(Math.abs(transcriber.silentSeconds - expected) < 0.02);
  t.equal(transcriber.seconds, 1.5 + samples.length / SAMPLE_RATE);
  t.end();
});
