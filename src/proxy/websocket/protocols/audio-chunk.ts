// Finds how much audio is in a chunk of speech, and of which context it is, without decoding the chunk. Pure.
import { decodedLength } from '../../base64-length.ts';
import type { Fields } from './message-fields.ts';

const CHUNK = Buffer.from('{"type":"chunk"');
const DATA = Buffer.from('"data":"');
const CONTEXT_ID = Buffer.from('"context_id":"');
const QUOTE = 0x22;

/** Whether a message begins like the chunks of the live service; all others are parsed as JSON. */
export function isChunk(bytes: Buffer, start: number, end: number): boolean {
  if (end - start < CHUNK.length) return false;
  for (let i = 0; i < CHUNK.length; i += 1) if (bytes[start + i] !== CHUNK[i]) return false;
  return true;
}

/** Decoded length, in bytes, of the base64 text after `"data":`. */
export function audioBytes(bytes: Buffer, start: number, end: number): number {
  const key = bytes.indexOf(DATA, start + CHUNK.length); // no JSON string can contain it, as its quotes would be escaped
  if (key === -1 || key >= end) return 0;
  const from = key + DATA.length;
  const to = bytes.indexOf(QUOTE, from); // base64 has no escapes
  return to <= from || to >= end ? 0 : decodedLength(to - from, bytes[to - 1], bytes[to - 2]);
}

/** `null` if it names none, or one with JSON escapes. */
export function contextOfChunk(bytes: Buffer, start: number, end: number): string | null {
  const key = bytes.indexOf(CONTEXT_ID, start + CHUNK.length); // neither base64 nor a JSON string can contain it
  if (key === -1 || key >= end) return null;
  const from = key + CONTEXT_ID.length;
  const to = bytes.indexOf(QUOTE, from);
  if (to === -1 || to >= end) return null;
  const id = bytes.toString('utf8', from, to);
  return id.includes('\\') ? null : id;
}

/** Like `audioBytes`, for a parsed message. */
export function lengthOfData(event: Fields): number {
  const data = event['data'];
  if (typeof data !== 'string') return 0;
  return decodedLength(data.length, data.charCodeAt(data.length - 1), data.charCodeAt(data.length - 2));
}
