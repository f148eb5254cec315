// Which of Cartesia's header fields reach the client: an allow-list again. No cookie, no redirect, no hop-by-hop field passes.
import { readRequestId } from '../upstream/error-body.ts';

/** Upstream's names, lower case, and what each is called here. */
const FORWARDED: Readonly<Record<string, string>> = {
  'content-type': 'content-type',
  'content-length': 'content-length',
  'content-disposition': 'content-disposition',
  'cartesia-file-id': 'cartesia-file-id',
  'cartesia-request-id': 'cartesia-request-id',
};

/** What an answer's head says that somebody here wants to know. */
export interface AnswerHead {
  /** Flat list of names and values for the client. */
  readonly forwarded: readonly string[];
  readonly contentType: string;
  /** Upstream's id of the request, from either of the fields it uses. */
  readonly requestId: string | null;
  readonly retryAfter: string | null;
}

/**
 * @param headers flat list of names and values as received
 * @param isRewritten the body will not stay as long as upstream says
 */
export function readAnswerHead(headers: readonly string[], isRewritten: boolean): AnswerHead {
  const forwarded: string[] = [];
  let contentType = '';
  let requestId: string | null = null;
  let otherId: string | null = null;
  let retryAfter: string | null = null;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at]?.toLowerCase() ?? '';
    const value = headers[at + 1] ?? '';
    if (name === 'x-request-id') otherId = readRequestId(value);
    else if (name === 'retry-after') retryAfter = value;
    else if (name === 'cartesia-request-id') requestId = readRequestId(value);
    else {
      const ours = FORWARDED[name];
      if (ours === undefined || (isRewritten && name === 'content-length')) continue;
      if (name === 'content-type') contentType = value;
      forwarded.push(ours, value);
    }
  }
  requestId ??= otherId;
  if (requestId !== null) forwarded.push('cartesia-request-id', requestId);
  return { forwarded, contentType, requestId, retryAfter };
}
