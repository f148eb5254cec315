/**
 * The alphabet of the simulator's speech: code points to signs and back.
 *
 * A sign is a number below 4,352 (16 × 16 × 17: the digits of three bands). Code points below 2,048 (Latin, Greek, Cyrillic,
 * Hebrew, Arabic) take one sign; all others take two, which still covers the whole of Unicode.
 */

/** One past the largest sign. */
const SIGNS = 16 * 16 * 17;

const SINGLE_END = 2_048;
const LOW_SIGNS = 1_024;
const HIGH_START = SINGLE_END;
const LOW_START = SIGNS - LOW_SIGNS;
const REPLACEMENT = 0xfffd;

/** The signs of a code point: one or two. A lone surrogate is spoken as U+FFFD, because UTF-8 could not carry it back. */
export function signsOf(codePoint: number): readonly [number] | readonly [number, number] {
  if (codePoint < SINGLE_END) return [codePoint];
  const spoken = codePoint >= 0xd800 && codePoint <= 0xdfff ? REPLACEMENT : codePoint;
  const rest = spoken - SINGLE_END;
  return [HIGH_START + Math.floor(rest / LOW_SIGNS), LOW_START + (rest % LOW_SIGNS)];
}

export type SignKind = 'single' | 'high' | 'low';

export function kindOf(sign: number): SignKind {
  if (sign < SINGLE_END) return 'single';
  return sign < LOW_START ? 'high' : 'low';
}

/** The code point that a high and a low sign spell, or undefined if they spell none. */
export function codePointOf(high: number, low: number): number | undefined {
  const codePoint = SINGLE_END + (high - HIGH_START) * LOW_SIGNS + (low - LOW_START);
  return codePoint <= 0x10ffff && !(codePoint >= 0xd800 && codePoint <= 0xdfff) ? codePoint : undefined;
}

/**
 * The four digits of a sign, one for each band. The fourth checks the others and carries `parity`, which changes from sign to
 * sign, so that "ll" is two signs and not one long one.
 */
export function digitsOf(sign: number, parity: 0 | 1): readonly [number, number, number, number] {
  const low = sign % 16;
  const middle = Math.floor(sign / 16) % 16;
  const high = Math.floor(sign / 256);
  return [low, middle, high, checkOf(low, middle, high) * 2 + parity];
}

/** The sign that four digits spell, or undefined if the check digit does not match. */
export function signOf(low: number, middle: number, high: number, check: number): number | undefined {
  return check >> 1 === checkOf(low, middle, high) ? high * 256 + middle * 16 + low : undefined;
}

// Odd weights: an error of one in any digit changes the sum modulo 4.
function checkOf(low: number, middle: number, high: number): number {
  return (low + 3 * middle + high) % 4;
}
