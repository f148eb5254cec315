/**
 * A cache of rendered chords: a text uses few distinct signs, so repeating one costs a copy and no arithmetic. This is what lets one
 * core speak on a thousand sockets.
 */

import { digitsOf } from './alphabet.ts';
import { encodeSamples, type OutputEncoding } from './encodings.ts';
import { BANDS, periodSamples, sineTable } from './tone-grid.ts';

export interface ChordShape {
  readonly pitchHz: number;
  readonly sampleRate: number;
  /** Samples a chord lasts. */
  readonly length: number;
  readonly volume: number;
}

/** A sign and its parity as one number: `sign * 2 + parity`. */
export type ChordId = number;

const HUM_AMPLITUDE = 0.12;
/** The fraction of a chord that fades in, and that fades out, so that it does not click. */
const FADE = 0.1;
const SPACE_SIGN = 0x20;
/** A softer sign between words makes them audible as words. */
const SPACE_LOUDNESS = 0.7;

/** The samples of a chord, mono, -1 to 1. */
export function renderChord(chord: ChordId, shape: ChordShape): Float32Array {
  const { length, sampleRate, pitchHz } = shape;
  const sign = chord >> 1;
  const loudness = shape.volume * (sign === SPACE_SIGN ? SPACE_LOUDNESS : 1);
  const { sine, period } = sineTable(periodSamples(sampleRate));
  const samples = new Float32Array(length);
  for (const [band, digit] of digitsOf(sign, chord & 1 ? 1 : 0).entries()) {
    const { first, amplitude } = BANDS[band as 0 | 1 | 2 | 3];
    const step = first + digit;
    for (let n = 0, at = 0; n < length; n += 1, at = (at + step) % period) {
      samples[n] = (samples[n] ?? 0) + amplitude * (sine[at] ?? 0);
    }
  }
  const fade = Math.max(1, Math.round(length * FADE));
  for (let n = 0; n < length; n += 1) {
    const edge = Math.min(1, (Math.min(n, length - 1 - n) + 0.5) / fade);
    const envelope = loudness * 0.5 * (1 - Math.cos(Math.PI * edge));
    samples[n] = envelope * ((samples[n] ?? 0) + HUM_AMPLITUDE * Math.sin((2 * Math.PI * pitchHz * n) / sampleRate));
  }
  return samples;
}

/** Chords of one shape and encoding, rendered on first use. */
export interface ChordBank {
  bytesOf(chord: ChordId): Uint8Array;
}

/** Enough for about ten voices speaking any ASCII text; beyond it everything is dropped and rendered anew. */
const KEPT_BYTES = 64 * 1024 * 1024;
const banks = new Map<string, Map<ChordId, Uint8Array>>();
let keptBytes = 0;

export function chordBank(shape: ChordShape, encoding: OutputEncoding): ChordBank {
  const key = `${shape.pitchHz}/${shape.sampleRate}/${shape.length}/${shape.volume}/${encoding}`;
  return {
    bytesOf(chord) {
      const kept = banks.get(key)?.get(chord);
      if (kept !== undefined) return kept;
      const bytes = encodeSamples(renderChord(chord, shape), encoding);
      if (keptBytes + bytes.length > KEPT_BYTES) {
        banks.clear();
        keptBytes = 0;
      }
      const bank = banks.get(key) ?? new Map<ChordId, Uint8Array>();
      banks.set(key, bank.set(chord, bytes));
      keptBytes += bytes.length;
      return bytes;
    },
  };
}
