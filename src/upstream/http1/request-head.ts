// Builds the head of an HTTP/1.1 request as text.

import type { UpstreamRequest } from '../transport.ts';
import { UpstreamFailure } from '../upstream-failure.ts';

export interface RequestHead {
  /** One character per byte. */
  readonly text: string;
  /** The body is sent in chunks, because its length is not known. */
  readonly isChunked: boolean;
  /** Length in bytes of a streamed body that is not chunked; otherwise 0. */
  readonly length: number;
}

/** @see RFC 9110 §5.1 (a token) */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]*$/;
const TARGET = /^[\x21-\x7e]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^\d{1,15}$/;

/**
 * @param host the value of the Host header
 * @throws UpstreamFailure `internal` on invalid characters: nothing that could end a line is ever written, wherever it came from
 */
export function requestHead(request: UpstreamRequest, host: string): RequestHead {
  const { method, target, headers, body } = request;
  if (!TARGET.test(target)) throw new UpstreamFailure('internal', 'target');
  let text = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  let length: number | null = null;
  let names = '';
  let values = '';
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? '';
    const value = headers[at + 1] ?? '';
    if (name === '') throw new UpstreamFailure('internal', 'header');
    names += name;
    if (name === 'content-length') {
      if (!LENGTH.test(value)) throw new UpstreamFailure('internal', 'header');
      length = Number(value);
    } else {
      text += `${name}: ${value}\r\n`;
      values += value;
    }
  }
  // One test each for all names and all values: a character forbidden in any of them is forbidden in their concatenation.
  if (!NAME.test(names) || !VALUE.test(values)) throw new UpstreamFailure('internal', 'header');
  if (body === null) return whole(method === 'POST' ? `${text}content-length: 0\r\n\r\n` : `${text}\r\n`);
  if (Buffer.isBuffer(body)) return whole(`${text}content-length: ${body.length}\r\n\r\n`);
  if (length === null) return { text: `${text}transfer-encoding: chunked\r\n\r\n`, isChunked: true, length: 0 };
  return { text: `${text}content-length: ${length}\r\n\r\n`, isChunked: false, length };
}

/** For a head that no streamed body follows. */
function whole(text: string): RequestHead {
  return { text, isChunked: false, length: 0 };
}
