// The head of a request as text.

import type { UpstreamRequest } from '../transport.ts';
import { UpstreamFailure } from '../upstream-failure.ts';

export interface RequestHead {
  /** One character for each byte. */
  readonly text: string;
  /** The body goes out in chunks: its length is not known. */
  readonly isChunked: boolean;
  /** Of a streamed body that is not chunked, bytes. */
  readonly length: number;
}

/** @see RFC 9110 §5.1 (a token) */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]*$/;
const TARGET = /^[\x21-\x7e]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^\d{1,15}$/;

/**
 * @param host as the field Host says it
 * @throws UpstreamFailure `internal`: nothing that could end a line is ever written, wherever it came from
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
  // All of them at once: what none may have, their sum does not have either.
  if (!NAME.test(names) || !VALUE.test(values)) throw new UpstreamFailure('internal', 'header');
  if (body === null) return whole(method === 'POST' ? `${text}content-length: 0\r\n\r\n` : `${text}\r\n`);
  if (Buffer.isBuffer(body)) return whole(`${text}content-length: ${body.length}\r\n\r\n`);
  if (length === null) return { text: `${text}transfer-encoding: chunked\r\n\r\n`, isChunked: true, length: 0 };
  return { text: `${text}content-length: ${length}\r\n\r\n`, isChunked: false, length };
}

/** Nothing is streamed behind it. */
function whole(text: string): RequestHead {
  return { text, isChunked: false, length: 0 };
}
