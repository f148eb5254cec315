/** Turns text into a score: the signs to sing, and when each word and phoneme begins and ends. Pure; nothing is rendered here. */

import { signsOf } from './alphabet.ts';
import { splitPhonemes } from './phonemes.ts';

export interface TimedWord {
  readonly word: string;
  /** Seconds from the start of the speech. */
  readonly start: number;
  readonly end: number;
}

export interface TimedPhoneme {
  readonly phoneme: string;
  readonly start: number;
  readonly end: number;
}

export interface Score {
  /** In the order they are sung. */
  readonly signs: Uint16Array;
  /** Words with their punctuation, as Cartesia gives them: `Hello,` `world!`. Computed on first access. */
  readonly words: readonly TimedWord[];
  /** Also computed on first access. */
  readonly phonemes: readonly TimedPhoneme[];
}

/**
 * @param startSeconds when the first sign begins
 * @param signSeconds how long each sign lasts
 */
export function scoreOf(transcript: string, startSeconds: number, signSeconds: number): Score {
  let timings: Timings | undefined;
  const timed = () => {
    timings ??= timingsOf(transcript, startSeconds, signSeconds);
    return timings;
  };
  return {
    signs: signsIn(transcript),
    get words() {
      return timed().words;
    },
    get phonemes() {
      return timed().phonemes;
    },
  };
}

function signsIn(transcript: string): Uint16Array {
  // No code unit takes more than two signs.
  const signs = new Uint16Array(transcript.length * 2);
  let count = 0;
  for (const character of transcript) {
    for (const sign of signsOf(character.codePointAt(0) ?? 0)) {
      signs[count] = sign;
      count += 1;
    }
  }
  return signs.slice(0, count);
}

interface Timings {
  readonly words: readonly TimedWord[];
  readonly phonemes: readonly TimedPhoneme[];
}

/** A word being read: its characters, and the index of the first sign of each. */
interface OpenWord {
  readonly characters: string[];
  readonly firstSigns: number[];
}

function timingsOf(transcript: string, startSeconds: number, signSeconds: number): Timings {
  const words: TimedWord[] = [];
  const phonemes: TimedPhoneme[] = [];
  const at = (sign: number) => Math.round((startSeconds + sign * signSeconds) * 1_000) / 1_000;
  let word: OpenWord = { characters: [], firstSigns: [] };
  let sign = 0;

  const endWord = () => {
    const { characters, firstSigns } = word;
    const [first] = firstSigns;
    if (first === undefined) return;
    words.push({ word: characters.join(''), start: at(first), end: at(sign) });
    for (const { phoneme, from, to } of splitPhonemes(characters)) {
      phonemes.push({ phoneme, start: at(firstSigns[from] ?? first), end: at(firstSigns[to] ?? sign) });
    }
    word = { characters: [], firstSigns: [] };
  };

  for (const character of transcript) {
    if (/\s/u.test(character)) endWord();
    else {
      word.characters.push(character);
      word.firstSigns.push(sign);
    }
    sign += signsOf(character.codePointAt(0) ?? 0).length;
  }
  endWord();
  return { words, phonemes };
}
