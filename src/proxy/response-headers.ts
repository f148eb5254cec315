// Selects Cartesia's header fields that reach the client, by an allow-list: no cookie, redirect or hop-by-hop field passes.
import { readRequestId } from '../upstream/error-body.ts';

/** Lower case. */
const FORWARDED: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-disposition',
  'cartesia-file-id',
]);
/** Read here, but not passed on as they are. */
const READ: ReadonlySet<string> = new Set([
  'cartesia-request-id',
  'x-request-id',
  'retry-after',
  'content-encoding',
  'transfer-encoding',
]);

/** What the proxy needs from the head of a response. */
export interface AnswerHead {
  /** Flat list of names and values for the client. */
  readonly forwarded: readonly string[];
  readonly contentType: string;
  /** Upstream's id of the request, from either of the fields it uses. */
  readonly requestId: string | null;
  readonly retryAfter: string | null;
  /** The body is compressed, although we asked for `identity`. */
  readonly isCoded: boolean;
}

export interface AnswerHeadOptions {
  /** The body will not keep the length that upstream states. */
  readonly isRewritten: boolean;
  /** Whether a text contains our key; a field that does is left out. */
  readonly isRevealing: (text: string) => boolean;
}

/** @param headers flat list of names and values as received */
export function readAnswerHead(headers: readonly string[], options: AnswerHeadOptions): AnswerHead {
  const { isRewritten, isRevealing } = options;
  const forwarded: string[] = [];
  let contentType = '';
  let requestId: string | null = null;
  let otherId: string | null = null;
  let retryAfter: string | null = null;
  let isCoded = false;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]?.toLowerCase() ?? '';
    const value = headers[at + 1] ?? '';
    const isForwarded = FORWARDED.has(name);
    if (!(isForwarded || READ.has(name)) || isRevealing(value)) continue;
    if (name === 'x-request-id') otherId = readRequestId(value);
    else if (name === 'retry-after') retryAfter = value;
    else if (name === 'content-encoding') isCoded ||= value.toLowerCase() !== 'identity';
    else if (name === 'transfer-encoding') isCoded ||= value.toLowerCase() !== 'chunked';
    // Comes first: after a Content-Length, Node rejects a file name that is not ASCII, and with it the whole head.
    else if (name === 'content-disposition') forwarded.unshift(name, value);
    else if (name === 'cartesia-request-id') requestId = readRequestId(value);
    else if (!(isRewritten && name === 'content-length')) {
      if (name === 'content-type') contentType = value;
      forwarded.push(name, value);
    }
  }
  requestId ??= otherId;
  if (requestId !== null) forwarded.push('cartesia-request-id', requestId);
  return { forwarded, contentType, requestId, retryAfter, isCoded };
}
