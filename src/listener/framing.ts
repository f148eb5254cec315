// Refuses requests that Node's parser accepts but that another parser of the same bytes might read differently.
import type { IncomingMessage } from 'node:http';
import { Problem } from '../errors/problems.ts';
import { PARAMETERS_MAX } from './request-target.ts';

/** Most header fields a request may have. Node drops surplus fields silently, so its own limit is off and we count. */
const HEADER_FIELDS_MAX = 100;
/** Most digits of a Content-Length, leading zeros included. More are an attempt to overflow some parser. */
const LENGTH_DIGITS_MAX = 15;
/**
 * A host with an optional port, or nothing (RFC 3986 §3.2). Not the comma that its grammar allows: no host has one, and some parsers
 * join two fields with it.
 */
const HOST = /^(?:\[[\w.:%~-]+\]|[\w.~!$&'()*+;=%-]*)(?::\d{0,5})?$/;
/** Longest request target, bytes. Those of the mirrored endpoints are far shorter. */
const TARGET_MAX = 8192;

/**
 * Checks a request before anything else does.
 * @returns the Problem to answer with, after which the connection has to be closed, or `null`
 * @see RFC 9112 §3.2 (one Host), §6.1 (Transfer-Encoding), §6.3 (message length)
 */
export function checkFraming(request: IncomingMessage): Problem | null {
  const { rawHeaders, httpVersion } = request;
  // The parser accepts `HTTP/2.0` in a request line as one more version of HTTP/1.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return new Problem('invalid_request', 'Use HTTP/1.1.');
  if (rawHeaders.length > HEADER_FIELDS_MAX * 2) return new Problem('headers_too_large');
  let hosts = 0;
  let host = '';
  let lengths = 0;
  let encodings = 0;
  let type: string | undefined;
  let hasTwoTypes = false;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    // By length first: this runs for every field of every request.
    if (name.length === 4 && name.toLowerCase() === 'host') {
      hosts += 1;
      host = rawHeaders[at + 1] ?? '';
    } else if (name.length === 12 && name.toLowerCase() === 'content-type') {
      type ??= rawHeaders[at + 1];
      hasTwoTypes ||= type !== rawHeaders[at + 1];
    } else if (name.length === 14 && name.toLowerCase() === 'content-length') lengths += 1;
    else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') encodings += 1;
  }
  if (hosts > 1 || (hosts === 0 && httpVersion !== '1.0'))
    return new Problem('invalid_request', 'The header Host must be given exactly once.');
  if (!HOST.test(host))
    return new Problem('invalid_request', 'The header Host must be a host, with or without a port.');
  const { 'content-length': length = '', 'transfer-encoding': encoding } = request.headers;
  if (lengths > 1 || encodings > 1 || (lengths > 0 && encodings > 0) || length.length > LENGTH_DIGITS_MAX) {
    return new Problem('invalid_request', 'The length of the body is not clear.');
  }
  if (encodings > 0 && (httpVersion === '1.0' || encoding?.toLowerCase() !== 'chunked')) {
    return new Problem('invalid_request', 'The only Transfer-Encoding accepted is chunked, over HTTP/1.1.');
  }
  // Node keeps the first, another parser the last: a body must not be one thing to us and another to Cartesia.
  if (hasTwoTypes)
    return new Problem('invalid_request', 'The header Content-Type is given twice, with different values.');
  return checkTarget(request.url ?? '');
}

/** Whether the head mentions a body, even an empty one. */
export function mentionsBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** Whether a body follows the head. For requests whose framing is clear. */
export function announcesBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers;
  return (length !== undefined && Number(length) > 0) || encoding !== undefined;
}

/** Ambiguous targets are refused, never normalised: what we route must be what anyone in front of us saw. */
function checkTarget(target: string): Problem | null {
  if (target.length > TARGET_MAX) return new Problem('invalid_request', 'The request target is too long.');
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  if (path.charCodeAt(0) !== 0x2f || AMBIGUOUS.test(path)) {
    return new Problem('invalid_request', 'The request target is not acceptable.');
  }
  if (query !== -1 && isCrowded(target, query))
    return new Problem('invalid_request', 'The query has too many parameters.');
  return null;
}

function isCrowded(target: string, query: number): boolean {
  let count = 1;
  for (let at = target.indexOf('&', query); at !== -1; at = target.indexOf('&', at + 1)) count += 1;
  return count > PARAMETERS_MAX;
}

/** `//`, a dot segment, `;` parameters, a backslash, `#`, and any percent encoding: no route of ours needs one. */
const AMBIGUOUS = /\/\/|\/\.{1,2}(?:\/|$)|[;\\#%]/;
