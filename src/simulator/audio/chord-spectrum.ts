/**
 * Tells which chord a window of audio holds: the recogniser's ear.
 *
 * The audio is cut into quarters of the base period (5 ms). The correlation of each quarter with every tone is summed once; four
 * consecutive quarters make a window, so overlapping windows cost nothing extra.
 */

import { signOf } from './alphabet.ts';
import type { ChordId } from './chord-bank.ts';
import { BANDS, END_TONE, FIRST_TONE, periodSamples, sineTable } from './tone-grid.ts';

export const QUARTERS = 4;

export interface ChordSpectrum {
  /** Samples in the next quarter; the number varies by one if the period is not a multiple of four. */
  readonly quarterSamples: number;
  /** Takes exactly `quarterSamples` samples and returns the chord in the window that they end, or null if there is none. */
  push(quarter: Float32Array): ChordId | null;
}

/** A window whose strongest tones are below this is silence (full scale is 1). */
const SILENCE = 0.002;
/** In each band the second strongest tone must stay below this fraction of the strongest: noise, music and speech do not. */
const RIVAL = 0.4;
/** The factor by which the bands' relative loudness may differ from the speaker's, after whatever lay in between. */
const TILT = 6;

const TONES = END_TONE - FIRST_TONE;

export function createChordSpectrum(sampleRate: number): ChordSpectrum {
  const period = periodSamples(sampleRate);
  const correlators = correlatorsOf(period);
  const edges = Array.from({ length: QUARTERS + 1 }, (_, quarter) => Math.round((quarter * period) / QUARTERS));
  const sums = Array.from({ length: QUARTERS }, () => ({ re: new Float64Array(TONES), im: new Float64Array(TONES) }));
  const magnitudes = new Float64Array(TONES);
  let quarter = 0;
  let heard = 0;
  const start = () => edges[quarter] ?? 0;
  const end = () => edges[quarter + 1] ?? period;

  return {
    get quarterSamples() {
      return end() - start();
    },
    push(samples) {
      const sum = sums[quarter];
      if (sum !== undefined) correlate(samples, start(), period, correlators, sum);
      quarter = (quarter + 1) % QUARTERS;
      heard += 1;
      if (heard < QUARTERS) return null;
      for (let tone = 0; tone < TONES; tone += 1) {
        let re = 0;
        let im = 0;
        for (const part of sums) {
          re += part.re[tone] ?? 0;
          im += part.im[tone] ?? 0;
        }
        magnitudes[tone] = (2 / period) * Math.sqrt(re * re + im * im);
      }
      return chordIn(magnitudes);
    },
  };
}

interface Sums {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

interface Correlators {
  /** `tone * period + n`: cosine and sine of each tone over one period. */
  readonly cosine: Float32Array;
  readonly sine: Float32Array;
}

function correlate(samples: Float32Array, from: number, period: number, table: Correlators, sums: Sums): void {
  const { cosine, sine } = table;
  const count = samples.length;
  let loud = false;
  for (let n = 0; n < count && !loud; n += 1) loud = Math.abs(samples[n] ?? 0) > SILENCE / 4;
  if (!loud) {
    sums.re.fill(0);
    sums.im.fill(0);
    return;
  }
  for (let tone = 0; tone < TONES; tone += 1) {
    let re = 0;
    let im = 0;
    for (let n = 0, at = tone * period + from; n < count; n += 1, at += 1) {
      const sample = samples[n] as number;
      re += sample * (cosine[at] as number);
      im += sample * (sine[at] as number);
    }
    sums.re[tone] = re;
    sums.im[tone] = im;
  }
}

function chordIn(magnitudes: Float64Array): ChordId | null {
  const digits: number[] = [];
  let weakest = Number.POSITIVE_INFINITY;
  let strongest = 0;
  for (const { first, tones, amplitude } of BANDS) {
    let best = 0;
    let second = 0;
    let digit = 0;
    for (let tone = 0; tone < tones; tone += 1) {
      const magnitude = magnitudes[first - FIRST_TONE + tone] ?? 0;
      if (magnitude > best) {
        second = best;
        best = magnitude;
        digit = tone;
      } else if (magnitude > second) second = magnitude;
    }
    if (best < SILENCE || second > best * RIVAL) return null;
    weakest = Math.min(weakest, best / amplitude);
    strongest = Math.max(strongest, best / amplitude);
    digits.push(digit);
  }
  if (strongest > weakest * TILT) return null;
  const [low = 0, middle = 0, high = 0, check = 0] = digits;
  const sign = signOf(low, middle, high, check);
  return sign === undefined ? null : sign * 2 + (check & 1);
}

/** A table is half a megabyte at 48 kHz and clients choose the rate, so few are kept. */
const KEPT_TABLES = 16;
const tables = new Map<number, Correlators>();

function correlatorsOf(period: number): Correlators {
  const kept = tables.get(period);
  if (kept !== undefined) return kept;
  const wave = sineTable(period);
  const table = { cosine: new Float32Array(TONES * period), sine: new Float32Array(TONES * period) };
  for (let tone = 0; tone < TONES; tone += 1) {
    for (let n = 0; n < period; n += 1) {
      const at = ((tone + FIRST_TONE) * n) % period;
      table.cosine[tone * period + n] = wave.cosine[at] ?? 0;
      table.sine[tone * period + n] = wave.sine[at] ?? 0;
    }
  }
  if (tables.size >= KEPT_TABLES) tables.clear();
  tables.set(period, table);
  return table;
}
