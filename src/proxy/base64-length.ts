// How long a base64 text is when it is decoded, without decoding it: that is all that is asked of the audio that passes. Pure.

const PADDING = 0x3d;

/**
 * Bytes.
 * @param last its last character, and the one before it
 */
export function decodedLength(length: number, last: number | undefined, lastButOne: number | undefined): number {
  const padding = last === PADDING ? (lastButOne === PADDING ? 2 : 1) : 0;
  return Math.max(0, Math.floor((length * 3) / 4) - padding);
}
