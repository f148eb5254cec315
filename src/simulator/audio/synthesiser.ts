/**
 * The simulator's voice: text to audio, the same bytes for the same request, always.
 *
 * Each character is a short chord (see tone-grid.ts and alphabet.ts) over a hum at the voice's pitch. It does not sound like a
 * person, but it has the length, the loudness and the timing of speech, and the recogniser can read every character back.
 */

import { type ChordId, type ChordShape, chordBank, renderChord } from './chord-bank.ts';
import { BYTES_PER_SAMPLE, encodeSamples, type OutputEncoding } from './encodings.ts';
import { type Score, scoreOf, type TimedPhoneme, type TimedWord } from './score.ts';
import { pitchOf } from './voice-pitch.ts';

export interface SpeechSettings {
  readonly voiceId: string;
  /** Hz, 8,000 to 48,000. */
  readonly sampleRate: number;
  /** 0.6 to 1.5 times the normal pace (about 17 characters a second); clamped. */
  readonly speed?: number;
  /** 0.5 to 2; clamped. */
  readonly volume?: number;
}

export interface Synthesis {
  /** Mono, -1 to 1. */
  readonly samples: Float32Array;
  readonly words: readonly TimedWord[];
  readonly phonemes: readonly TimedPhoneme[];
}

/** Speaks a whole transcript at once. For streams see {@link createSpeech}. */
export function synthesise(request: SpeechSettings & { readonly transcript: string }): Synthesis {
  const shape = shapeOf(request);
  const score = scoreOf(request.transcript, LEAD_SECONDS, shape.length / shape.sampleRate);
  const lead = Math.round(LEAD_SECONDS * shape.sampleRate);
  const tail = Math.round(TAIL_SECONDS * shape.sampleRate);
  const samples = new Float32Array(lead + score.signs.length * shape.length + tail);
  for (const [index, sign] of score.signs.entries()) {
    samples.set(renderChord(chordId(sign, index), shape), lead + index * shape.length);
  }
  return { samples, words: score.words, phonemes: score.phonemes };
}

/** Speech that is written bit by bit and read bit by bit; nothing is rendered before it is read. */
export interface Speech {
  readonly sampleRate: number;
  readonly encoding: OutputEncoding;
  /** Adds text after what was said before, and tells when its words and phonemes will be heard, from the speech's start. */
  say(transcript: string): Score;
  /** Adds the short silence that ends an utterance. Nothing is said after it. */
  finish(): void;
  /** Bytes that {@link read} has yet to give. */
  readonly pendingBytes: number;
  /** Seconds of audio said so far, read or not. */
  readonly seconds: number;
  /** The next bytes in the encoding, at most `maxBytes` and whole samples; empty when all is read. */
  read(maxBytes: number): Buffer;
}

export function createSpeech(settings: SpeechSettings & { readonly encoding: OutputEncoding }): Speech {
  const shape = shapeOf(settings);
  const { sampleRate, length } = shape;
  const { encoding } = settings;
  const width = BYTES_PER_SAMPLE[encoding];
  const bank = chordBank(shape, encoding);
  // Chords to come, and silences as negative numbers of samples.
  let score: number[] = [];
  let next = 0;
  let offset = 0;
  let spoken = 0;
  let samples = 0;
  let pendingBytes = 0;

  const append = (entry: number) => {
    const added = entry < 0 ? -entry : length;
    score.push(entry);
    samples += added;
    pendingBytes += added * width;
  };
  const bytesOf = (entry: number) =>
    entry < 0 ? encodeSamples(new Float32Array(-entry), encoding) : bank.bytesOf(entry);

  return {
    sampleRate,
    encoding,
    say(transcript) {
      if (samples === 0) append(-Math.round(LEAD_SECONDS * sampleRate));
      const said = scoreOf(transcript, samples / sampleRate, length / sampleRate);
      for (const sign of said.signs) {
        append(chordId(sign, spoken));
        spoken += 1;
      }
      return said;
    },
    finish() {
      append(-Math.round(TAIL_SECONDS * sampleRate));
    },
    get pendingBytes() {
      return pendingBytes;
    },
    get seconds() {
      return samples / sampleRate;
    },
    read(maxBytes) {
      const size = Math.min(pendingBytes, maxBytes - (maxBytes % width));
      const out = Buffer.allocUnsafe(size);
      for (let filled = 0; filled < size; ) {
        const bytes = bytesOf(score[next] ?? 0);
        const taken = Math.min(bytes.length - offset, size - filled);
        out.set(bytes.subarray(offset, offset + taken), filled);
        filled += taken;
        offset += taken;
        if (offset === bytes.length) {
          next += 1;
          offset = 0;
        }
      }
      pendingBytes -= size;
      // What was read is dropped in large steps, so that an endless speech neither grows nor shuffles its list at every chunk.
      if (next > 1_024) {
        score = score.slice(next);
        next = 0;
      }
      return out;
    },
  };
}

/** Seconds a character lasts at speed 1. */
const SIGN_SECONDS = 0.06;
/** Silence around an utterance: two of them played back to back stay two for the recogniser. */
const LEAD_SECONDS = 0.03;
const TAIL_SECONDS = 0.04;

function shapeOf(settings: SpeechSettings): ChordShape {
  const speed = clamp(settings.speed ?? 1, 0.6, 1.5);
  return {
    pitchHz: pitchOf(settings.voiceId),
    sampleRate: settings.sampleRate,
    length: Math.round((settings.sampleRate * SIGN_SECONDS) / speed),
    volume: clamp(settings.volume ?? 1, 0.5, 2),
  };
}

function chordId(sign: number, index: number): ChordId {
  return sign * 2 + (index % 2);
}

function clamp(value: number, low: number, high: number): number {
  return Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : 1;
}
