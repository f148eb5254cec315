// Measures the audio in the events of a speech stream without parsing them. Pure.
import { decodedLength } from '../base64-length.ts';

const NAME = '"data"';
const QUOTE = 0x22;
const COLON = 0x3a;
const SPACE = 0x20;

/** Decoded length, in bytes, of the base64 texts that are values of `"data"`. */
export function audioBytesIn(bytes: Buffer): number {
  let total = 0;
  for (let at = bytes.indexOf(NAME); at !== -1; at = bytes.indexOf(NAME, at + 1)) {
    const open = openingQuote(bytes, at + NAME.length);
    if (open === -1) continue; // a word of a transcript, not a name
    const close = bytes.indexOf(QUOTE, open + 1);
    if (close === -1) break;
    total += decodedLength(close - open - 1, bytes[close - 1], bytes[close - 2]);
    at = close;
  }
  return total;
}

/** Index of the opening quote after a colon; -1 if something else follows. */
function openingQuote(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === SPACE) at += 1;
  if (bytes[at] !== COLON) return -1;
  at += 1;
  while (bytes[at] === SPACE) at += 1;
  return bytes[at] === QUOTE ? at : -1;
}
