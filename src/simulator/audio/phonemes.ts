/**
 * A rough reading of Latin letters as IPA, enough to give clients phoneme timestamps of a believable shape. It is not a
 * pronunciation dictionary: letters it does not know stand for themselves.
 */

const PAIRS: Readonly<Record<string, string>> = {
  ch: 'tʃ',
  sh: 'ʃ',
  th: 'θ',
  ph: 'f',
  ng: 'ŋ',
  wh: 'w',
  ck: 'k',
  qu: 'kw',
  zh: 'ʒ',
  ee: 'iː',
  ea: 'iː',
  oo: 'uː',
  ou: 'aʊ',
  ow: 'oʊ',
  ai: 'eɪ',
  ay: 'eɪ',
  oi: 'ɔɪ',
  oy: 'ɔɪ',
  ie: 'aɪ',
};

const LETTERS: Readonly<Record<string, string>> = {
  a: 'æ',
  b: 'b',
  c: 'k',
  d: 'd',
  e: 'ə',
  f: 'f',
  g: 'ɡ',
  h: 'h',
  i: 'ɪ',
  j: 'dʒ',
  k: 'k',
  l: 'l',
  m: 'm',
  n: 'n',
  o: 'oʊ',
  p: 'p',
  q: 'k',
  r: 'ɹ',
  s: 's',
  t: 't',
  u: 'ʌ',
  v: 'v',
  w: 'w',
  x: 'ks',
  y: 'j',
  z: 'z',
};

export interface PhonemeSpan {
  readonly phoneme: string;
  /** Index of the first character, and one past the last. */
  readonly from: number;
  readonly to: number;
}

/** The phonemes of one word given as its characters (code points). Punctuation has none. */
export function splitPhonemes(characters: readonly string[]): PhonemeSpan[] {
  const spans: PhonemeSpan[] = [];
  let from = 0;
  while (from < characters.length) {
    const one = (characters[from] ?? '').toLowerCase();
    const two = one + (characters[from + 1] ?? '').toLowerCase();
    const doubled = two.length === 2 && one === two[1];
    const pair = PAIRS[two];
    const phoneme = pair ?? LETTERS[one] ?? (/[\p{L}\p{N}]/u.test(one) ? one : undefined);
    const to = from + (pair !== undefined || (doubled && phoneme !== undefined) ? 2 : 1);
    if (phoneme !== undefined) spans.push({ phoneme, from, to });
    from = to;
  }
  return spans;
}
