import fc from 'fast-check';
import { test } from 'tap';
import { bytesPerSecond, countCharacters, noUsage, type OutputFormat } from '../../src/usage/units.ts';

test('a character is a code point', async (t) => {
  const cases: readonly [string, number][] = [
    ['', 0],
    ['Hello', 5],
    ['café', 4],
    ['cafe\u0301', 5],
    ['日本語', 3],
    ['😀', 1],
    ['👨‍👩‍👧', 5],
    ['🇩🇪', 2],
    ['\u{10ffff}', 1],
    ['\ud83d', 1],
    ['\ude00', 1],
    ['\ude00\ud83d', 2],
    ['a\ud83d', 2],
    ['\ud83da', 2],
    [' \n\t', 3],
  ];
  for (const [text, count] of cases) t.equal(countCharacters(text), count, JSON.stringify(text));
});

test('any text has as many characters as its iteration yields', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(
          fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
          (text) => {
            if (countCharacters(text) !== [...text].length) throw new Error(JSON.stringify(text));
          },
        ),
        { numRuns: 500 },
      ),
    '500 texts',
  );
});

const format = (more: Partial<OutputFormat>): OutputFormat => ({
  container: 'raw',
  encoding: null,
  sampleRate: null,
  bitRate: null,
  ...more,
});

test('bytes per second of audio follow from its format', async (t) => {
  const cases: readonly [Partial<OutputFormat>, number | null][] = [
    [{ encoding: 'pcm_s16le', sampleRate: 24_000 }, 48_000],
    [{ encoding: 'pcm_f32le', sampleRate: 44_100 }, 176_400],
    [{ encoding: 'pcm_s32le', sampleRate: 16_000 }, 64_000],
    [{ encoding: 'pcm_f16le', sampleRate: 16_000 }, 32_000],
    [{ encoding: 'pcm_mulaw', sampleRate: 8000 }, 8000],
    [{ encoding: 'pcm_alaw', sampleRate: 8000 }, 8000],
    [{ container: 'wav', encoding: 'pcm_s16le', sampleRate: 16_000 }, 32_000],
    [{ container: 'mp3', sampleRate: 44_100, bitRate: 128_000 }, 16_000],
    [{ container: 'mp3', sampleRate: 44_100 }, null],
    [{ container: 'mp3', bitRate: 0 }, null],
    [{ container: 'mp3', bitRate: -1 }, null],
    [{ encoding: 'pcm_s16le' }, null],
    [{ encoding: 'pcm_s16le', sampleRate: 0 }, null],
    [{ encoding: 'pcm_new', sampleRate: 8000 }, null],
    [{ encoding: 'constructor', sampleRate: 8000 }, null],
    [{ encoding: '__proto__', sampleRate: 8000 }, null],
    [{ sampleRate: 8000 }, null],
  ];
  for (const [one, expected] of cases) t.equal(bytesPerSecond(format(one)), expected, JSON.stringify(one));
});

test('noUsage() is zero, and a new object each time', async (t) => {
  t.strictSame(noUsage(), { characters: 0, audioBytes: 0, audioSeconds: 0 });
  t.not(noUsage(), noUsage());
});
