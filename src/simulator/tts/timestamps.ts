// Converts the times of words and phonemes to the shape of timestamp events. Seconds from the start of the audio.

import type { Score } from '../audio/score.ts';

export function wordTimestamps({ words }: Score): {
  readonly words: readonly string[];
  readonly start: readonly number[];
  readonly end: readonly number[];
} {
  return {
    words: words.map(({ word }) => word),
    start: words.map(({ start }) => start),
    end: words.map(({ end }) => end),
  };
}

export function phonemeTimestamps({ phonemes }: Score): {
  readonly phonemes: readonly string[];
  readonly start: readonly number[];
  readonly end: readonly number[];
} {
  return {
    phonemes: phonemes.map(({ phoneme }) => phoneme),
    start: phonemes.map(({ start }) => start),
    end: phonemes.map(({ end }) => end),
  };
}
