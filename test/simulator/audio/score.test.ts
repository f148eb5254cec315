import { test } from 'tap';
import { scoreOf } from '../../../src/simulator/audio/score.ts';
import { createSpeech, synthesise } from '../../../src/simulator/audio/synthesiser.ts';
import { pitchOf } from '../../../src/simulator/audio/voice-pitch.ts';

test('words keep their punctuation, and words and phonemes have times within the audio', (t) => {
  const { words, phonemes, samples } = synthesise({ transcript: 'Hello, world! ', voiceId: 'any', sampleRate: 24_000 });
  t.same(
    words.map(({ word }) => word),
    ['Hello,', 'world!'],
  );
  t.same(
    phonemes.map(({ phoneme }) => phoneme),
    ['h', 'ə', 'l', 'oʊ', 'w', 'oʊ', 'ɹ', 'l', 'd'],
  );
  const seconds = samples.length / 24_000;
  for (const spans of [words, phonemes]) {
    let last = 0;
    for (const { start, end } of spans) {
      t.ok(last <= start && start < end && end <= seconds);
      last = end;
    }
  }
  t.end();
});

test('a character outside the small alphabets takes two signs, and lengthens its word accordingly', (t) => {
  t.same(scoreOf('語', 0, 0.06).signs.length, 2);
  t.same(scoreOf('日本 é', 1, 0.1).words, [
    { word: '日本', start: 1, end: 1.4 },
    { word: 'é', start: 1.5, end: 1.6 },
  ]);
  t.end();
});

test('times continue from one part of a speech to the next', (t) => {
  const speech = createSpeech({ voiceId: 'any', sampleRate: 16_000, encoding: 'pcm_s16le' });
  t.same(speech.say('ab ').words, [{ word: 'ab', start: 0.03, end: 0.15 }]);
  t.same(speech.say('c').words, [{ word: 'c', start: 0.21, end: 0.27 }]);
  t.equal(speech.seconds, 0.27);
  t.end();
});

test('the voice sets the pitch, the speed sets the length, and nothing clips or clicks', (t) => {
  const say = (settings: { voiceId?: string; speed?: number; volume?: number }) =>
    synthesise({ transcript: 'Hello', voiceId: 'a', sampleRate: 24_000, ...settings }).samples;
  const pitches = new Set(Array.from({ length: 50 }, (_, n) => pitchOf(`voice-${n}`)));
  t.equal(pitches.size, 7, 'all pitches are used');
  t.not(pitchOf('a'), pitchOf('b'));
  t.notOk(Buffer.from(say({ voiceId: 'a' }).buffer).equals(Buffer.from(say({ voiceId: 'b' }).buffer)));
  t.ok(say({ speed: 1.5 }).length < say({}).length && say({}).length < say({ speed: 0.6 }).length);
  t.equal(say({ speed: 100 }).length, say({ speed: 1.5 }).length, 'a speed beyond the range is clamped');
  const samples = say({ volume: 2 });
  t.ok(samples.every((sample) => Math.abs(sample) <= 1));
  const step = samples.reduce((largest, sample, n) => Math.max(largest, Math.abs(sample - (samples[n - 1] ?? 0))), 0);
  // The steepest slope of the tones themselves at 24 kHz; a click would add a jump of the whole amplitude.
  t.ok(step < 0.7, `largest step ${step}`);
  t.equal(samples[0], 0);
  t.equal(samples.at(-1), 0);
  t.end();
});
