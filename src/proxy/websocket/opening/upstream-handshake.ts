// The handshake with Cartesia: writes the request that opens a socket and parses the response. Copies nothing from the client's own
// handshake.
import { randomBytes } from 'node:crypto';
import { trimmed } from '../../../upstream/http1/answer-head.ts';
import { acceptOf } from './handshake.ts';

export interface Opening {
  readonly text: string;
  /** The required value of Sec-WebSocket-Accept. */
  readonly accept: string;
}

/**
 * @param target path and query, made of constants and checked parts
 * @param host with the port, unless it is the scheme's default
 * @param headers flat list of names and values, credential and version included
 */
export function openingRequest(target: string, host: string, headers: readonly string[]): Opening {
  const key = randomBytes(16).toString('base64');
  let text =
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n`;
  for (let at = 0; at + 1 < headers.length; at += 2) text += `${headers[at]}: ${headers[at + 1]}\r\n`;
  return { text: `${text}\r\n`, accept: acceptOf(key) };
}

export interface UpgradeHead {
  readonly status: number;
  /** Lower-case names. The values of a repeated field are joined by a comma and a space. */
  readonly headers: ReadonlyMap<string, string>;
  /** What ends the body: its length in bytes, `chunked`, or the end of the connection. */
  readonly body: number | 'chunked' | 'to_end';
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const FIELD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Strict: `null` for what is not HTTP/1.1 to the letter, or has a body whose length can be understood in two ways.
 * @param text Latin-1, up to but excluding the empty line
 */
export function readHead(text: string): UpgradeHead | null {
  const [first = '', ...lines] = text.split('\r\n');
  const status = STATUS_LINE.exec(first)?.[1];
  if (status === undefined) return null;
  const headers = new Map<string, string>();
  for (const line of lines) {
    if (!FIELD.test(line)) return null;
    const colon = line.indexOf(':');
    const key = line.slice(0, colon).toLowerCase();
    const value = trimmed(line, colon + 1, line.length);
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  const body = bodyOf(headers);
  if (body === null) return null;
  // Whatever their headers say, these have no body (RFC 9112 §6.3), and none must be waited for.
  const hasNone = status === '204' || status === '304';
  return { status: Number(status), headers, body: hasNone ? 0 : body };
}

function bodyOf(headers: ReadonlyMap<string, string>): UpgradeHead['body'] | null {
  const length = headers.get('content-length');
  const encoding = headers.get('transfer-encoding');
  if (length !== undefined && encoding !== undefined) return null;
  if (encoding !== undefined) return encoding.toLowerCase() === 'chunked' ? 'chunked' : null;
  if (length === undefined) return 'to_end';
  return /^[0-9]{1,15}$/.test(length) ? Number(length) : null;
}

/** Whether the response accepts what was asked for, and nothing else. @see RFC 6455 §4.1 */
export function isAcceptance({ status, headers }: UpgradeHead, accept: string): boolean {
  const tokens = headers
    .get('connection')
    ?.toLowerCase()
    .split(',')
    .map((token) => token.trim());
  return (
    status === 101 &&
    headers.get('upgrade')?.toLowerCase() === 'websocket' &&
    tokens?.includes('upgrade') === true &&
    headers.get('sec-websocket-accept') === accept &&
    !headers.has('sec-websocket-extensions') &&
    !headers.has('sec-websocket-protocol')
  );
}

/**
 * The body of an error response, as far as it has arrived.
 * @returns `null` while more of it is to come
 */
export function readBody(bytes: Buffer, length: UpgradeHead['body'], hasEnded: boolean): string | null {
  if (length === 'chunked') return readChunks(bytes, hasEnded);
  if (length !== 'to_end' && bytes.length >= length) return bytes.toString('utf8', 0, length);
  return hasEnded ? bytes.toString('utf8') : null;
}

/** Only for reading an error's text: ignores trailers, and returns what there is of a body that breaks off. */
function readChunks(bytes: Buffer, hasEnded: boolean): string | null {
  const pieces: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size =
      lineEnd === -1 ? null : /^([0-9a-fA-F]{1,6})(?:[\t ]*;.*)?$/.exec(bytes.toString('latin1', at, lineEnd))?.[1];
    if (size === null || size === undefined) break;
    const start = lineEnd + 2;
    const end = start + Number.parseInt(size, 16);
    if (end === start) return Buffer.concat(pieces).toString('utf8');
    if (end > bytes.length) break;
    pieces.push(bytes.subarray(start, end));
    at = end + 2;
  }
  return hasEnded ? Buffer.concat(pieces).toString('utf8') : null;
}
