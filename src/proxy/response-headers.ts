// Which of Cartesia's header fields reach the client: an allow-list again. No cookie, no redirect, no hop-by-hop field passes.
import { readRequestId } from '../upstream/error-body.ts';

/** Lower case. */
const FORWARDED: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-disposition',
  'cartesia-file-id',
]);
/** What is read here and not passed on as it is. */
const READ: ReadonlySet<string> = new Set([
  'cartesia-request-id',
  'x-request-id',
  'retry-after',
  'content-encoding',
  'transfer-encoding',
]);

/** What an answer's head says that somebody here wants to know. */
export interface AnswerHead {
  /** Flat list of names and values for the client. */
  readonly forwarded: readonly string[];
  readonly contentType: string;
  /** Upstream's id of the request, from either of the fields it uses. */
  readonly requestId: string | null;
  readonly retryAfter: string | null;
  /** The body is compressed, although we have asked for it as it is. */
  readonly isCoded: boolean;
}

export interface AnswerHeadOptions {
  /** The body will not stay as long as upstream says. */
  readonly isRewritten: boolean;
  /** Whether a text contains our key: a field that does is left out. */
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
    // First of all: behind a length, Node refuses a name of a file that is not ASCII, and the whole head with it.
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
