// Turns Cartesia's error response into the Problem that the client sees, with its code and words kept.
import { Problem } from '../errors/problems.ts';
import { clampRetryAfter } from '../errors/wire.ts';
import { isAboutOurKey, parseErrorBody } from '../upstream/error-body.ts';
import { parseRetryAfter } from '../upstream/retry-after.ts';
import { quoteForLog, UpstreamFailure } from '../upstream/upstream-failure.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly body: string;
  readonly requestId: string | null;
  readonly retryAfter: string | null;
}

export interface ErrorContext {
  /** Whether a text contains our key; nothing of a body that does is passed on. */
  readonly isRevealing: (text: string) => boolean;
  /** Epoch milliseconds. */
  readonly nowMs: number;
}

export interface AnswerProblem {
  readonly problem: Problem;
  /** Upstream rejects our key: that calls for an alarm, and the client must not get a 401 for it. */
  readonly isKeyRefused: boolean;
}

/** For a 429 or 503 without a usable Retry-After. */
const RETRY_DEFAULT_SECONDS = 1;

/** @param answer status 300 or above */
export function problemOfAnswer(answer: ErrorAnswer, context: ErrorContext): AnswerProblem {
  const { status, body } = answer;
  const error = context.isRevealing(body) ? parseErrorBody('') : parseErrorBody(body);
  const requestId = answer.requestId ?? error.requestId;
  const cause = new UpstreamFailure(
    'answer',
    `status ${status}`,
    quoteForLog(`${error.title ?? ''}: ${error.message ?? ''}`),
  );
  const id = requestId === null || context.isRevealing(requestId) ? {} : { upstreamRequestId: requestId };

  if (status < 400) {
    return { problem: new Problem('upstream_unavailable', undefined, { cause, ...id }), isKeyRefused: false };
  }
  if (isAboutOurKey(status, error)) {
    return { problem: new Problem('upstream_rejected', undefined, { cause, ...id }), isKeyRefused: true };
  }
  const title = error.title ?? TITLES[status] ?? 'Upstream error';
  const problem = new Problem('upstream_unavailable', error.message ?? title, {
    cause,
    ...id,
    source: 'upstream',
    upstream: { status, errorCode: error.errorCode, title, docUrl: error.docUrl },
    ...(status === 429 || status === 503
      ? {
          retryAfterSeconds: clampRetryAfter(
            parseRetryAfter(answer.retryAfter ?? undefined, context.nowMs) ?? RETRY_DEFAULT_SECONDS,
          ),
        }
      : {}),
  });
  return { problem, isKeyRefused: false };
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Invalid request',
  402: 'Payment required',
  404: 'Not found',
  409: 'Conflict',
  413: 'Payload too large',
  422: 'Unprocessable request',
  429: 'Too many requests',
  500: 'Unexpected error',
  502: 'Bad gateway',
  503: 'Service unavailable',
  504: 'Gateway timeout',
};
