import fc from 'fast-check';
import { test } from 'tap';
import { speak } from '../../../src/simulator/audio/containers.ts';
import {
  createSampleDecoder,
  decodeSamples,
  encodeSamples,
  OUTPUT_ENCODINGS,
} from '../../../src/simulator/audio/encodings.ts';
import { MP3_KBPS } from '../../../src/simulator/audio/mp3.ts';
import { readRecording } from '../../../src/simulator/audio/recording.ts';
import { createSpeech, synthesise } from '../../../src/simulator/audio/synthesiser.ts';
import { createTranscriber, transcribe } from '../../../src/simulator/audio/transcriber.ts';

const SAMPLE_RATES = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000] as const;

const transcripts = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.lorem({ maxCount: 4 }),
  fc.string({ unit: fc.constantFrom('l', ' ', '\n', '日', '😀', '\u{10ffff}', '\0'), maxLength: 15 }),
);
const voices = fc.record({
  voiceId: fc.uuid(),
  speed: fc.double({ min: 0.6, max: 1.5, noNaN: true }),
  volume: fc.double({ min: 0.5, max: 2, noNaN: true }),
});

test('speech is transcribed back to its text, with any text, voice, speed, volume, rate and encoding', (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(
          transcripts,
          voices,
          fc.oneof(fc.constantFrom(...SAMPLE_RATES), fc.integer({ min: 8_000, max: 48_000 })),
          fc.constantFrom(...OUTPUT_ENCODINGS),
          (transcript, voice, sampleRate, encoding) => {
            const { samples } = synthesise({ transcript, ...voice, sampleRate });
            const heard = transcribe(decodeSamples(encodeSamples(samples, encoding), encoding), sampleRate);
            return heard.text === transcript;
          },
        ),
        { numRuns: 250 },
      ),
    '250 random cases',
  );
  t.end();
});

test('the same request gives the same bytes, read at once or in pieces', (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(
          transcripts,
          voices,
          fc.constantFrom(...SAMPLE_RATES),
          fc.constantFrom(...OUTPUT_ENCODINGS),
          fc.integer({ min: 4, max: 30_000 }),
          (transcript, voice, sampleRate, encoding, pieceBytes) => {
            const whole = encodeSamples(synthesise({ transcript, ...voice, sampleRate }).samples, encoding);
            const speech = createSpeech({ ...voice, sampleRate, encoding });
            // Text that comes in two parts is one speech.
            const cut = Math.floor(transcript.length / 2);
            const parts = transcript.isWellFormed() && transcript.slice(0, cut).isWellFormed() ? [0, cut] : [0, 0];
            speech.say(transcript.slice(parts[0], parts[1]));
            speech.say(transcript.slice(parts[1]));
            speech.finish();
            const pieces: Buffer[] = [];
            while (speech.pendingBytes > 0) pieces.push(speech.read(pieceBytes));
            return pieces.every(({ length }) => length <= pieceBytes) && Buffer.concat(pieces).equals(whole);
          },
        ),
        { numRuns: 100 },
      ),
    '100 random cases',
  );
  t.end();
});

test('a stream cut anywhere, even inside a sample, is transcribed like the whole', (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(
          transcripts,
          fc.constantFrom(...SAMPLE_RATES),
          fc.constantFrom(...OUTPUT_ENCODINGS),
          fc.array(fc.integer({ min: 1, max: 9_001 }), { minLength: 1, maxLength: 20 }),
          (transcript, sampleRate, encoding, sizes) => {
            const { samples } = synthesise({ transcript, voiceId: 'any', sampleRate });
            const bytes = encodeSamples(samples, encoding);
            const decoder = createSampleDecoder(encoding);
            const transcriber = createTranscriber(sampleRate);
            let text = '';
            for (let at = 0, piece = 0; at < bytes.length; piece += 1) {
              const size = sizes[piece % sizes.length] ?? 1;
              transcriber.push(decoder.push(bytes.subarray(at, at + size)));
              if (piece % 3 === 0) text += transcriber.take().text;
              at += size;
            }
            return text + transcriber.take().text === transcript;
          },
        ),
        { numRuns: 150 },
      ),
    '150 random cases',
  );
  t.end();
});

test('MP3 of every rate and bit rate carries the text', async (t) => {
  const transcript = 'Hello, wooorld!! Größe 日本語 😀';
  for (const sampleRate of SAMPLE_RATES) {
    for (const kbps of MP3_KBPS) {
      const format = { container: 'mp3', kbps, sampleRate } as const;
      for (const speed of [0.6, 1.5]) {
        const pieces: Uint8Array[] = [];
        for await (const piece of speak({ transcript, voiceId: 'any', speed, format, chunkBytes: 16_384 })) {
          pieces.push(piece);
        }
        const recording = await readRecording(Buffer.concat(pieces));
        t.equal(
          recording && transcribe(recording.samples, recording.sampleRate).text,
          transcript,
          `${sampleRate} Hz, ${kbps} kbit/s, speed ${speed}`,
        );
      }
    }
  }
});

test('WAV in every encoding carries the text, and declares its length as unknown', async (t) => {
  const transcript = 'Streamed files have no length.';
  for (const sampleRate of SAMPLE_RATES) {
    for (const encoding of OUTPUT_ENCODINGS) {
      const format = { container: 'wav', encoding, sampleRate } as const;
      const pieces: Uint8Array[] = [];
      for await (const piece of speak({ transcript, voiceId: 'any', format, chunkBytes: 16_384 })) pieces.push(piece);
      const file = Buffer.concat(pieces);
      t.equal(file.readUInt32LE(4), 0xffffffff);
      t.equal(file.readUInt32LE(file.indexOf('data') + 4), 0xffffffff);
      const recording = await readRecording(file);
      t.equal(recording?.sampleRate, sampleRate);
      t.equal(
        recording && transcribe(recording.samples, sampleRate).text,
        transcript,
        `${encoding} at ${sampleRate} Hz`,
      );
    }
  }
});

test('utterances played back to back without a pause are all transcribed', (t) => {
  const one = synthesise({ transcript: 'hello', voiceId: 'a', sampleRate: 24_000 }).samples;
  const two = synthesise({ transcript: 'olleh', voiceId: 'b', sampleRate: 24_000 }).samples;
  const both = new Float32Array(one.length + two.length);
  both.set(one);
  both.set(two, one.length);
  t.equal(transcribe(both, 24_000).text, 'helloolleh');
  t.end();
});

test('resampled audio is still transcribed', (t) => {
  const transcript = 'From 44.1 kHz to 16 kHz and 8 kHz.';
  const { samples } = synthesise({ transcript, voiceId: 'any', sampleRate: 44_100 });
  for (const sampleRate of [16_000, 8_000, 48_000]) {
    const step = 44_100 / sampleRate;
    const resampled = Float32Array.from({ length: Math.floor(samples.length / step) - 1 }, (_, n) => {
      const at = Math.floor(n * step);
      const part = n * step - at;
      return (samples[at] ?? 0) * (1 - part) + (samples[at + 1] ?? 0) * part;
    });
    t.equal(transcribe(resampled, sampleRate).text, transcript, `${sampleRate} Hz`);
  }
  t.end();
});

test('a lone surrogate is spoken as the replacement character', (t) => {
  const { samples } = synthesise({ transcript: 'a\ud800b', voiceId: 'any', sampleRate: 16_000 });
  t.equal(transcribe(samples, 16_000).text, 'a\ufffdb');
  t.end();
});
