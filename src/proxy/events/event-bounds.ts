// Finds where server-sent events end in the bytes of a stream: at blank lines. Pure.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

const LF = 0x0a;
const CR = 0x0d;
/** Two line ends. */
export const BLANK_LINE_MAX_BYTES = 4;

/** Index after the last blank line; 0 if there is none. */
export function endOfLastEvent(bytes: Buffer): number {
  const lf = bytes.lastIndexOf('\n\n');
  const end = lf === -1 ? 0 : lf + 2;
  if (!bytes.includes(CR)) return end; // Cartesia's streams have no CR, and one byte is found faster than four
  const crlf = bytes.lastIndexOf('\r\n\r\n');
  const cr = bytes.lastIndexOf('\r\r');
  return Math.max(end, crlf === -1 ? 0 : crlf + 4, cr === -1 ? 0 : cr + 2);
}

/** Index after the first blank line; -1 if there is none. Stops there, because callers find many events one by one. */
export function endOfFirstEvent(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if ((byte === LF || byte === CR) && bytes[at + 1] === byte) return at + 2;
    if (byte === LF && bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** The last event in `bytes`, which contain only whole events. */
export function lastEvent(bytes: Buffer): Buffer {
  const before = endOfLastEvent(bytes.subarray(0, lengthWithoutLineEnd(bytes)));
  return bytes.subarray(before);
}

export function lengthWithoutLineEnd(bytes: Buffer): number {
  let length = bytes.length;
  while (length > 0 && (bytes[length - 1] === LF || bytes[length - 1] === CR)) length -= 1;
  return length;
}

export function endsWithBlankLine(bytes: Buffer): boolean {
  return endOfLastEvent(bytes) === bytes.length;
}
