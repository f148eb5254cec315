/**
 * Where the simulator's speech sits in the spectrum.
 *
 * A spoken sign is a chord of four tones, one of each band. All tones are multiples of one base frequency, so a window of exactly
 * one base period holds a whole number of cycles of each: inside such a window the tones do not leak into one another, at
 * any sample rate and any time offset. That is what lets the recogniser read them back without being in step with the speaker.
 * Everything stays below 3.2 kHz, which telephones carry, and MP3 too, even at a sample rate of 8 kHz.
 */

/** Hz between two neighbouring tones, and the inverse of the window's length in seconds. */
export const BASE_HZ = 50;

export interface Band {
  /** Multiple of the base frequency of the band's first tone. */
  readonly first: number;
  /** How many tones the band has: the radix of the digit it carries. */
  readonly tones: number;
  /** Amplitude of the band's tone at volume 1; they fall with pitch, as in a voice. */
  readonly amplitude: number;
}

/** Low digit, middle digit, high digit, check digit. The digit that changes most has the lowest band, so that text sounds like a tune. */
export const BANDS = [
  { first: 7, tones: 16, amplitude: 0.14 },
  { first: 23, tones: 16, amplitude: 0.1 },
  { first: 39, tones: 17, amplitude: 0.075 },
  { first: 56, tones: 8, amplitude: 0.065 },
] as const satisfies readonly Band[];

/** The first and one past the last multiple that any band uses. */
export const FIRST_TONE = 7;
export const END_TONE = 64;

/** Samples in one base period, which is also the recogniser's window. */
export function periodSamples(sampleRate: number): number {
  return Math.round(sampleRate / BASE_HZ);
}

export interface SineTable {
  readonly period: number;
  /** sin(2π·n / period) for n below the period. */
  readonly sine: Float64Array;
  readonly cosine: Float64Array;
}

/** Clients choose the rate, so few tables are kept. */
const KEPT_TABLES = 16;
const tables = new Map<number, SineTable>();

/** One period of sine and cosine; a tone of multiple `m` at sample `n` is `sine[(m * n) % period]`. */
export function sineTable(period: number): SineTable {
  const kept = tables.get(period);
  if (kept !== undefined) return kept;
  const sine = new Float64Array(period);
  const cosine = new Float64Array(period);
  for (let n = 0; n < period; n += 1) {
    sine[n] = Math.sin((2 * Math.PI * n) / period);
    cosine[n] = Math.cos((2 * Math.PI * n) / period);
  }
  const table = { period, sine, cosine };
  if (tables.size >= KEPT_TABLES) tables.clear();
  tables.set(period, table);
  return table;
}
