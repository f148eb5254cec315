/** Text as a score: which signs are sung, and when each word and phoneme begins and ends. Pure; nothing is rendered here. */

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
  readonly signs: readonly number[];
  /** Words with their punctuation, as Cartesia gives them: `Hello,` `world!`. */
  readonly words: readonly TimedWord[];
  readonly phonemes: readonly TimedPhoneme[];
}

/**
 * @param startSeconds when the first sign begins
 * @param signSeconds how long each sign lasts
 */
export function scoreOf(transcript: string, startSeconds: number, signSeconds: number): Score {
  const signs: number[] = [];
  const words: TimedWord[] = [];
  const phonemes: TimedPhoneme[] = [];
  const at = (index: number) => round(startSeconds + index * signSeconds);
  let word: { characters: string[]; marks: number[] } = { characters: [], marks: [] };

  const endWord = () => {
    const first = word.marks[0];
    if (first === undefined) return;
    words.push({ word: word.characters.join(''), start: at(first), end: at(signs.length) });
    for (const { phoneme, from, to } of splitPhonemes(word.characters)) {
      phonemes.push({ phoneme, start: at(word.marks[from] ?? first), end: at(word.marks[to] ?? signs.length) });
    }
    word = { characters: [], marks: [] };
  };

  for (const character of transcript) {
    if (/\s/u.test(character)) endWord();
    else {
      word.characters.push(character);
      word.marks.push(signs.length);
    }
    signs.push(...signsOf(character.codePointAt(0) ?? 0));
  }
  // The marks of the last word end where the signs end, so it is closed after they are all known.
  endWord();
  return { signs, words, phonemes };
}

/** Milliseconds are as fine as Cartesia's own timestamps. */
function round(seconds: number): number {
  return Math.round(seconds * 1_000) / 1_000;
}
