// Turns Cartesia's response to a mint into a token or a Problem for the caller. Pure.
import type { IncomingHttpHeaders } from 'node:http';
import { Problem, type ProblemCode, type ProblemDetails } from '../errors/problems.ts';
import { clampRetryAfter } from '../errors/wire.ts';
import { KNOWN_ERROR_CODES, parseErrorBody, readRequestId, type UpstreamError } from './error-body.ts';
import { parseRetryAfter } from './retry-after.ts';
import { quoteForLog, UpstreamFailure } from './upstream-failure.ts';

export interface MintAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export type MintOutcome =
  | { readonly outcome: 'token'; readonly token: string; readonly requestId: string | null }
  | { readonly outcome: 'problem'; readonly problem: Problem; readonly keyRefused: boolean };

export interface MintAnswerContext {
  /** Whether a text contains our key: such a text is not passed on, not even as a token. */
  readonly isRevealing: (text: string) => boolean;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

const TOKEN_MAX_LENGTH = 8_192;
// RFC 6750 §2.1 b64token: what may follow `Bearer `. A JWT is one.
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
/** For a 429 without a usable Retry-After. */
const RETRY_DEFAULT_SECONDS = 1;

/** Upstream's own words never reach the caller: why a mint fails is between the broker and Cartesia. */
export function readMintAnswer(answer: MintAnswer, context: MintAnswerContext): MintOutcome {
  const headerId =
    readRequestId(answer.headers['cartesia-request-id']) ?? readRequestId(answer.headers['x-request-id']);
  const idOfHeader = headerId !== null && context.isRevealing(headerId) ? null : headerId;

  if (answer.status === 200) {
    const token = readToken(answer.body);
    if (token !== null && !context.isRevealing(token)) return { outcome: 'token', token, requestId: idOfHeader };
    return problem('upstream_unavailable', idOfHeader, new UpstreamFailure('answer', 'status 200', 'no usable token'));
  }

  const error = parseErrorBody(answer.body);
  const requestId =
    idOfHeader ?? (error.requestId !== null && context.isRevealing(error.requestId) ? null : error.requestId);
  const cause = new UpstreamFailure('answer', `status ${answer.status}`, describe(error));
  switch (answer.status) {
    case 401:
    case 403:
      return { ...problem('upstream_rejected', requestId, cause), keyRefused: true };
    case 402:
      return problem('quota_exceeded', requestId, cause, {
        message: "The Cartesia account's credits are used up.",
        source: 'upstream',
      });
    case 429:
      return problem(
        error.errorCode === 'concurrency_limited' ? 'concurrency_limited' : 'rate_limited',
        requestId,
        cause,
        {
          message: 'The Cartesia account accepts no more requests at the moment. Wait as long as retry-after says.',
          source: 'upstream',
          retryAfterSeconds: readRetryAfter(answer.headers['retry-after'], context.nowMs),
        },
      );
    default:
      return problem(codeOf(answer.status), requestId, cause);
  }
}

function readRetryAfter(value: string | undefined, nowMs: number): number {
  return clampRetryAfter(parseRetryAfter(value, nowMs) ?? RETRY_DEFAULT_SECONDS);
}

/** Most 4xx mean that our request is wrong and would stay wrong; all else, redirects included, means that upstream does not work. */
function codeOf(status: number): ProblemCode {
  const isPassing = status === 408 || status === 421 || status === 425;
  return status >= 400 && status < 500 && !isPassing ? 'upstream_rejected' : 'upstream_unavailable';
}

function problem(
  code: ProblemCode,
  requestId: string | null,
  cause: UpstreamFailure,
  more: ProblemDetails & { readonly message?: string } = {},
) {
  const { message, ...rest } = more;
  const details = { cause, ...(requestId === null ? {} : { upstreamRequestId: requestId }), ...rest };
  return { outcome: 'problem', problem: new Problem(code, message, details), keyRefused: false } as const;
}

function readToken(body: string): string | null {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || !('token' in value)) return null;
  const { token } = value;
  return typeof token === 'string' && token.length <= TOKEN_MAX_LENGTH && TOKEN.test(token) ? token : null;
}

function describe(error: UpstreamError): string {
  const code = error.errorCode !== null && KNOWN_ERROR_CODES.has(error.errorCode) ? `${error.errorCode} ` : '';
  return code + quoteForLog([error.title, error.message].filter((part) => part !== null).join(': '));
}
