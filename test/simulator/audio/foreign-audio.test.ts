import fc from 'fast-check';
import { test } from 'tap';
import { decodeSamples, INPUT_ENCODINGS } from '../../../src/simulator/audio/encodings.ts';
import { readRecording } from '../../../src/simulator/audio/recording.ts';
import { createTranscriber, transcribe } from '../../../src/simulator/audio/transcriber.ts';

const EMPTY = { text: '', words: [] };

test('silence, noise, tones, telephone dialling and vowels contain no text', (t) => {
  const sampleRate = 16_000;
  const seconds = 5;
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed / 2 ** 31 - 1;
  };
  const audio = (sample: (time: number) => number) =>
    Float32Array.from({ length: sampleRate * seconds }, (_, n) => sample(n / sampleRate));
  const sine = (hz: number, time: number) => Math.sin(2 * Math.PI * hz * time);
  const vowel = (time: number) => {
    let sum = 0;
    for (let harmonic = 1; harmonic < 30; harmonic += 1)
      sum += sine(harmonic * (120 + 20 * sine(3, time)), time) / harmonic;
    return sum / 4;
  };
  const cases: Record<string, Float32Array> = {
    nothing: new Float32Array(0),
    silence: audio(() => 0),
    'white noise': audio(random),
    'quiet noise': audio(() => random() * 0.003),
    'a tone': audio((time) => 0.5 * sine(440, time)),
    'a chord of music': audio(
      (time) => (sine(261.63, time) + sine(329.63, time) + sine(392, time) + sine(1_046.5, time)) / 4,
    ),
    'a dialled digit': audio((time) => (sine(697, time) + sine(1_209, time)) / 2),
    'a sweep': audio((time) => 0.5 * sine(200 + 300 * time, time)),
    'a vowel': audio(vowel),
    clipping: audio((time) => Math.sign(sine(150, time))),
  };
  for (const [name, samples] of Object.entries(cases)) t.same(transcribe(samples, sampleRate), EMPTY, name);
  t.end();
});

test('random bytes in any encoding at any rate contain no text and cause no crash', (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(
          fc.uint8Array({ minLength: 0, maxLength: 20_000, size: 'max' }),
          fc.constantFrom(...INPUT_ENCODINGS),
          fc.oneof(fc.constantFrom(8_000, 16_000, 48_000), fc.integer({ min: 1, max: 400_000 })),
          (bytes, encoding, sampleRate) => transcribe(decodeSamples(bytes, encoding), sampleRate).text === '',
        ),
        { numRuns: 100 },
      ),
    '100 random cases',
  );
  t.end();
});

test('nonsensical sample rates cause no crash', (t) => {
  for (const sampleRate of [0, -1, 1, 49, Number.NaN, Number.POSITIVE_INFINITY, 1e12]) {
    const transcriber = createTranscriber(sampleRate);
    transcriber.push(new Float32Array(1_000).fill(0.5));
    t.same(transcriber.take(), EMPTY, String(sampleRate));
  }
  t.end();
});

test('damaged or foreign files give nothing or no text, never a crash', async (t) => {
  const junk = fc.uint8Array({ maxLength: 300 });
  const prefixes = fc.constantFrom<readonly number[]>(
    [],
    [...Buffer.from('RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0', 'latin1')],
    [...Buffer.from('RIFF\0\0\0\0WAVEdata', 'latin1')],
    [...Buffer.from('ID3\x04\0\0\0\0\0\0', 'latin1')],
    [0xff, 0xfb, 0x90, 0x64],
    [...Buffer.from('OggS', 'latin1')],
  );
  await fc.assert(
    fc.asyncProperty(prefixes, junk, async (prefix, rest) => {
      const recording = await readRecording(Uint8Array.from([...prefix, ...rest]));
      return recording === undefined || transcribe(recording.samples, recording.sampleRate).text === '';
    }),
    { numRuns: 200 },
  );
  t.equal(await readRecording(Buffer.from('OggS and more')), undefined);
});
