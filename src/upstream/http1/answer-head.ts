// The head of an HTTP/1.1 answer, read strictly: what two readers could understand in two ways is no answer at all.
import { UpstreamFailure } from '../upstream-failure.ts';

/** How the end of a body is known. */
export type BodyFraming =
  /** No body follows, whatever the fields say. */
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** Up to the end of the connection. */
  | { readonly kind: 'close' };

export interface ParsedHead {
  readonly status: number;
  /** Flat list of names as received and values without surrounding white space. */
  readonly headers: readonly string[];
  readonly framing: BodyFraming;
  /** Another request may follow on this connection. */
  readonly isReusable: boolean;
  /** Seconds that an idle connection is kept by the other side, where it says so. */
  readonly keepAliveSeconds: number | null;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/**
 * A first line, and fields: a name, a colon and what may stand in a value, with nothing but CR LF between them. No white space before the
 * colon, no folding: such a line does not begin with a name.
 * @see RFC 9112 §5, RFC 9110 §5.1 (a token), §5.5
 */
const LINES = /^[\t\x20-\x7e\x80-\xff]+(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*$/;
/** Fewer digits than would lose precision. */
const LENGTH = /^\d{1,15}$/;

const NONE: BodyFraming = { kind: 'none' };
const CHUNKED: BodyFraming = { kind: 'chunked' };
const CLOSE: BodyFraming = { kind: 'close' };

/**
 * @param text everything before the empty line, one character for each byte
 * @throws UpstreamFailure `malformed`
 * @see RFC 9112 §4 (status line), §5 (fields), §6.3 (message body length)
 */
export function parseHead(text: string): ParsedHead {
  if (!LINES.test(text)) throw malformed('head');
  const lines = text.split('\r\n');
  const start = STATUS_LINE.exec(lines[0] ?? '');
  if (start === null) throw malformed('status line');
  const isOld = start[1] === '0';
  const status = Number(start[2]);
  const headers: string[] = [];
  let length: number | null = null;
  let isChunked = false;
  let isReusable = !isOld;
  let keepAliveSeconds: number | null = null;
  for (let at = 1; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = trimmed(line, colon + 1);
    headers.push(name, value);
    // By length first: this runs for every field of every answer.
    switch (name.length) {
      case 10:
        switch (name.toLowerCase()) {
          case 'connection':
            if (hasOption(value, 'close')) isReusable = false;
            break;
          case 'keep-alive':
            keepAliveSeconds = timeoutOf(value);
            break;
        }
        break;
      case 14:
        if (name.toLowerCase() !== 'content-length') break;
        // White space behind the number would be allowed; undici refuses it, and so does this.
        if (length !== null || !LENGTH.test(value) || !line.endsWith(value)) throw malformed('Content-Length');
        length = Number(value);
        break;
      case 17:
        if (name.toLowerCase() !== 'transfer-encoding') break;
        if (isChunked || isOld || value.toLowerCase() !== 'chunked' || !line.endsWith(value)) {
          throw malformed('Transfer-Encoding');
        }
        isChunked = true;
        break;
    }
  }
  if (isChunked && length !== null) throw malformed('Content-Length beside Transfer-Encoding');
  const framing = framingOf(status, length, isChunked);
  return { status, headers, framing, isReusable: isReusable && framing.kind !== 'close', keepAliveSeconds };
}

/** What stands from there on, without spaces and tabs around it. */
function trimmed(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function framingOf(status: number, length: number | null, isChunked: boolean): BodyFraming {
  if (status < 200 || status === 204 || status === 304) return NONE;
  if (isChunked) return CHUNKED;
  return length === null ? CLOSE : { kind: 'length', bytes: length };
}

export function malformed(what: string): UpstreamFailure {
  return new UpstreamFailure('malformed', 'HTTP', what);
}

function hasOption(value: string, option: string): boolean {
  return value
    .toLowerCase()
    .split(',')
    .some((one) => one.trim() === option);
}

function timeoutOf(value: string): number | null {
  const digits = /(?:^|[,\s])timeout=(\d{1,5})(?:[,\s]|$)/i.exec(value)?.[1];
  return digits === undefined ? null : Number(digits);
}
