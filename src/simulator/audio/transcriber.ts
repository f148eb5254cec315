/**
 * The simulator's ear: reads text back from audio that the simulator's voice made, at any sample rate, after any encoding or lossy
 * compression, in pieces of any size. Other audio and silence give no text.
 */

import { codePointOf, kindOf } from './alphabet.ts';
import type { ChordId } from './chord-bank.ts';
import { createChordSpectrum, QUARTERS } from './chord-spectrum.ts';
import type { TimedWord } from './score.ts';
import { BASE_HZ } from './tone-grid.ts';

export interface Transcript {
  readonly text: string;
  /** Seconds from the start of the audio. */
  readonly words: readonly TimedWord[];
}

export interface Transcriber {
  /** Hears more audio. Returns whether text was added. */
  push(samples: Float32Array): boolean;
  /** The text heard since the last {@link take}; it may grow. */
  peek(): Transcript;
  /** Returns the same and forgets it: the next text begins after it. A half-heard character is kept for the next one. */
  take(): Transcript;
  /** Seconds of audio heard. */
  readonly seconds: number;
  /** Seconds since the end of the last character, or since the start if none was heard yet. */
  readonly silentSeconds: number;
}

/** Transcribes a whole recording. */
export function transcribe(samples: Float32Array, sampleRate: number): Transcript {
  const transcriber = createTranscriber(sampleRate);
  transcriber.push(samples);
  return transcriber.take();
}

interface Heard {
  readonly character: string;
  readonly start: number;
  end: number;
}

/** Below the lowest rate, quarters of a window would be too short; above the highest, tables would cost memory for no benefit. */
const LOWEST_RATE = 1_000;
const HIGHEST_RATE = 384_000;
const HOP_SECONDS = 1 / BASE_HZ / QUARTERS;
/** A chord counts when this many windows in a row agree on it. */
const AGREEING = 3;
/** The same chord after at most this many windows of something else is still the same sign, heard through a disturbance. */
const BRIDGED = 5;

/**
 * @param claimedRate Hz. Clients may claim any rate: an impossible one is replaced by the nearest possible one, which hears nothing
 */
export function createTranscriber(claimedRate: number): Transcriber {
  const sampleRate = Number.isNaN(claimedRate)
    ? LOWEST_RATE
    : Math.min(HIGHEST_RATE, Math.max(LOWEST_RATE, claimedRate));
  const spectrum = createChordSpectrum(sampleRate);
  let quarter = new Float32Array(spectrum.quarterSamples);
  let filled = 0;
  let samplesHeard = 0;
  let samplesJudged = 0;
  let characters: Heard[] = [];
  let lastEnd = 0;

  let candidate: ChordId | null = null;
  let run = 0;
  let current: ChordId | null = null;
  let currentAge = 0;
  let high: { sign: number; start: number } | null = null;

  const add = (character: string, start: number, end: number) => {
    characters.push({ character, start, end });
    return true;
  };

  /** Takes a recognised sign; returns whether it completed a character. */
  const accept = (chord: ChordId, start: number, end: number): boolean => {
    const sign = chord >> 1;
    const kind = kindOf(sign);
    const opened = high;
    high = kind === 'high' ? { sign, start } : null;
    if (kind === 'single') return add(String.fromCodePoint(sign), start, end);
    const codePoint = kind === 'low' && opened !== null ? codePointOf(opened.sign, sign) : undefined;
    return codePoint !== undefined && opened !== null && add(String.fromCodePoint(codePoint), opened.start, end);
  };

  const hear = (chord: ChordId | null): boolean => {
    samplesJudged += quarter.length;
    const end = samplesJudged / sampleRate;
    run = chord === candidate ? run + 1 : 1;
    candidate = chord;
    currentAge += 1;
    if (currentAge > BRIDGED) current = null;
    if (chord === null) return false;
    if (chord === current) {
      currentAge = 0;
      lastEnd = end;
      const last = characters.at(-1);
      if (last !== undefined && high === null) last.end = end;
      return false;
    }
    if (run < AGREEING) return false;
    current = chord;
    currentAge = 0;
    lastEnd = end;
    return accept(chord, end - (AGREEING - 1 + QUARTERS) * HOP_SECONDS, end);
  };

  const peek = (): Transcript => ({
    text: characters.map(({ character }) => character).join(''),
    words: wordsOf(characters),
  });

  return {
    push(samples) {
      let grew = false;
      samplesHeard += samples.length;
      for (let at = 0; at < samples.length; ) {
        const taken = Math.min(quarter.length - filled, samples.length - at);
        quarter.set(samples.subarray(at, at + taken), filled);
        filled += taken;
        at += taken;
        if (filled < quarter.length) break;
        if (hear(spectrum.push(quarter))) grew = true;
        if (spectrum.quarterSamples !== quarter.length) quarter = new Float32Array(spectrum.quarterSamples);
        filled = 0;
      }
      return grew;
    },
    peek,
    take() {
      const taken = peek();
      characters = [];
      return taken;
    },
    get seconds() {
      return samplesHeard / sampleRate;
    },
    get silentSeconds() {
      return Math.max(0, samplesHeard / sampleRate - lastEnd);
    },
  };
}

function wordsOf(characters: readonly Heard[]): TimedWord[] {
  const words: TimedWord[] = [];
  let word = '';
  let start = 0;
  let end = 0;
  const endWord = () => {
    if (word !== '') words.push({ word, start: milliseconds(start), end: milliseconds(end) });
    word = '';
  };
  for (const heard of characters) {
    if (/\s/u.test(heard.character)) endWord();
    else {
      if (word === '') start = heard.start;
      word += heard.character;
      end = heard.end;
    }
  }
  endWord();
  return words;
}

function milliseconds(seconds: number): number {
  return Math.round(Math.max(0, seconds) * 1_000) / 1_000;
}
