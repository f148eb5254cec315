// The one shape in which a caller sees a failure over HTTP: Cartesia's structured error object plus `source`.
import type { Problem } from './problems.ts';

/** Cartesia's structured error (API version 2026-03-01 and later) plus who failed. */
export interface ErrorBody {
  readonly error_code: string | null;
  readonly title: string;
  readonly message: string;
  /** Ours, a UUID; also in the header `x-request-id`. */
  readonly request_id: string;
  readonly source: 'broker' | 'upstream';
  readonly doc_url?: string;
}

/** The longest wait we ever ask for: the official JavaScript SDK obeys any `retry-after`, without an upper bound. */
export const RETRY_AFTER_MAX_SECONDS = 60;

export function errorBody(problem: Problem, requestId: string): ErrorBody {
  const docUrl = problem.details.upstream?.docUrl ?? null;
  return {
    error_code: problem.errorCode,
    title: problem.title,
    message: problem.message,
    request_id: requestId,
    source: problem.details.source ?? 'broker',
    ...(docUrl === null ? {} : { doc_url: docUrl }),
  };
}

/** Headers of an error response, lower-case names. Retry hints are always headers, where the official SDKs look for them. */
export function errorHeaders(problem: Problem): Record<string, string> {
  const { retryAfterSeconds, upstreamRequestId } = problem.details;
  const headers: Record<string, string> = {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-should-retry': String(problem.isRetryable),
  };
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(clampRetryAfter(retryAfterSeconds));
  else if (needsRetryAfter(problem.status)) headers['retry-after'] = '1';
  if (upstreamRequestId !== undefined) headers['cartesia-request-id'] = upstreamRequestId;
  if (problem.code === 'unauthenticated' || problem.code === 'token_expired') headers['www-authenticate'] = 'Bearer';
  return headers;
}

export function clampRetryAfter(seconds: number): number {
  if (!Number.isFinite(seconds)) return 1;
  return Math.min(RETRY_AFTER_MAX_SECONDS, Math.max(1, Math.ceil(seconds)));
}

function needsRetryAfter(status: number): boolean {
  return status === 429 || status === 503;
}
