// Parses the head of an HTTP/1.1 response strictly: refuses whatever two readers could understand in two ways.
import { UpstreamFailure } from '../upstream-failure.ts';

/** What determines the end of a body. */
export type BodyFraming =
  /** No body follows, whatever the header fields say. */
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  /** Up to the end of the connection. */
  | { readonly kind: 'close' };

export interface ParsedHead {
  readonly status: number;
  /** Flat list of names, as received, and values, without surrounding white space. */
  readonly headers: readonly string[];
  readonly framing: BodyFraming;
  /** Another request may follow on this connection. */
  readonly isReusable: boolean;
  /** Seconds for which upstream says it keeps an idle connection; `null` if it does not say. */
  readonly keepAliveSeconds: number | null;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/**
 * A first line, then fields of a name, a colon and a value, separated by CR LF only. White space before the colon and folded lines do not
 * match, because such a line does not begin with a name and a colon.
 * @see RFC 9112 §5, RFC 9110 §5.1 (a token), §5.5
 */
const LINES = /^[\t\x20-\x7e\x80-\xff]+(?:\r\n[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*)*$/;
/** Few enough digits not to lose precision. */
const LENGTH = /^\d{1,15}$/;

const LINE_END = '\r\n';

const NONE: BodyFraming = { kind: 'none' };
const CHUNKED: BodyFraming = { kind: 'chunked' };
const CLOSE: BodyFraming = { kind: 'close' };

/**
 * @param text everything before the empty line, one character per byte
 * @throws UpstreamFailure `malformed`
 * @see RFC 9112 §4 (status line), §5 (fields), §6.3 (message body length)
 */
export function parseHead(text: string): ParsedHead {
  if (!LINES.test(text)) throw malformed('head');
  let end = endOfLine(text, 0);
  const start = STATUS_LINE.exec(text.slice(0, end));
  if (start === null) throw malformed('status line');
  const isOld = start[1] === '0';
  const status = Number(start[2]);
  const headers: string[] = [];
  let length: number | null = null;
  let isChunked = false;
  let isReusable = !isOld;
  let keepAliveSeconds: number | null = null;
  while (end < text.length) {
    const from = end + LINE_END.length;
    end = endOfLine(text, from);
    const colon = text.indexOf(':', from);
    const name = text.slice(from, colon);
    const value = trimmed(text, colon + 1, end);
    headers.push(name, value);
    // By length first, because this runs for every field of every response.
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
        // White space after the number would be legal, but undici refuses it, and so does this parser.
        if (length !== null || !LENGTH.test(value) || !text.endsWith(value, end)) throw malformed('Content-Length');
        length = Number(value);
        break;
      case 17:
        if (name.toLowerCase() !== 'transfer-encoding') break;
        if (isChunked || isOld || value.toLowerCase() !== 'chunked' || !text.endsWith(value, end)) {
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

function endOfLine(text: string, from: number): number {
  const end = text.indexOf(LINE_END, from);
  return end === -1 ? text.length : end;
}

/** The text from `from` to `to` without surrounding spaces and tabs. A regular expression needs more than one pass over an all-blank line. */
export function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start += 1;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
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
