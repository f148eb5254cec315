/**
 * The simulator's voice: text to audio, always the same bytes for the same request.
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
  /** 0.6 to 1.5 times the normal pace (about 17 characters per second); clamped. */
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

/** Speech that is written and read piece by piece; nothing is rendered before it is read. */
export interface Speech {
  readonly sampleRate: number;
  readonly encoding: OutputEncoding;
  /** Appends text, and returns when its words and phonemes will be heard, counted from the start of the speech. */
  say(transcript: string): Score;
  /** Appends the short silence that ends an utterance. Nothing may be said after it. */
  finish(): void;
  /** Bytes that {@link read} has yet to return. */
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
  // What is still to be read: signs, and silences as numbers of samples.
  const parts: Part[] = [];
  let partAt = 0;
  let chordAt = 0;
  let byteAt = 0;
  let spoken = 0;
  let samples = 0;
  let pendingBytes = 0;

  const append = (part: Part, added: number) => {
    parts.push(part);
    samples += added;
    pendingBytes += added * width;
  };
  const silence = (seconds: number) => {
    const count = Math.round(seconds * sampleRate);
    append(count, count);
  };
  /** The chord or silence that is being read. */
  const current = (): Uint8Array => {
    const part = parts[partAt] ?? 0;
    if (typeof part === 'number') return encodeSamples(new Float32Array(part), encoding);
    return bank.bytesOf(chordId(part.signs[chordAt] ?? 0, part.first + chordAt));
  };
  const advance = () => {
    const part = parts[partAt] ?? 0;
    byteAt = 0;
    chordAt += 1;
    if (typeof part !== 'number' && chordAt < part.signs.length) return;
    chordAt = 0;
    partAt += 1;
    if (partAt < parts.length && partAt < KEPT_PARTS) return;
    parts.splice(0, partAt);
    partAt = 0;
  };

  return {
    sampleRate,
    encoding,
    say(transcript) {
      if (samples === 0) silence(LEAD_SECONDS);
      const said = scoreOf(transcript, samples / sampleRate, length / sampleRate);
      if (said.signs.length > 0) append({ signs: said.signs, first: spoken }, said.signs.length * length);
      spoken += said.signs.length;
      return said;
    },
    finish() {
      silence(TAIL_SECONDS);
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
        const bytes = current();
        const taken = Math.min(bytes.length - byteAt, size - filled);
        out.set(bytes.subarray(byteAt, byteAt + taken), filled);
        filled += taken;
        byteAt += taken;
        if (byteAt === bytes.length) advance();
      }
      pendingBytes -= size;
      return out;
    },
  };
}

/** Signs, with the index of the first of them in the whole speech; or a silence in samples. */
type Part = { readonly signs: Uint16Array; readonly first: number } | number;

/** Parts that were read are dropped once this many have gathered, so an endless speech neither grows nor shifts its list each time. */
const KEPT_PARTS = 64;
/** Seconds a character lasts at speed 1. */
const SIGN_SECONDS = 0.06;
/** Silence around an utterance, so that the recogniser can tell apart two that are played back to back. */
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
