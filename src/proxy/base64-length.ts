// Computes the decoded length of a base64 text without decoding it, which is all that metering needs. Pure.

const PADDING = 0x3d;

/**
 * @param length of the base64 text
 * @param last code of its last character; `lastButOne` is the one before it
 * @returns bytes
 */
export function decodedLength(length: number, last: number | undefined, lastButOne: number | undefined): number {
  const padding = last === PADDING ? (lastButOne === PADDING ? 2 : 1) : 0;
  return Math.max(0, Math.floor((length * 3) / 4) - padding);
}
