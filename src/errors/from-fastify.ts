// Translates errors of the framework into Problems, by their codes only: their messages are never passed on.
import { Problem } from './problems.ts';

/**
 * @param error anything that was thrown while a request was handled
 * @returns the Problem a caller sees; what is not recognised is `internal_error`, with the error as its cause
 */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  switch (codeOf(error)) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('unsupported_media_type', undefined, { cause: error });
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('payload_too_large', undefined, { cause: error });
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new Problem('invalid_request', 'The body is not as long as Content-Length says.', { cause: error });
    // Only for QUERY, a method that no route has, and before Fastify looks for a route.
    case 'FST_ERR_ROUTE_MISSING_CONTENT_TYPE':
      return new Problem('not_found', undefined, { cause: error });
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_ASYNC_CONSTRAINT':
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new Problem('invalid_request', 'The request target is not acceptable.', { cause: error });
    case 'ECONNRESET':
    case 'ECONNABORTED':
      return new Problem('invalid_request', 'The request ended before its body was complete.', { cause: error });
    default:
      return new Problem('internal_error', undefined, { cause: error });
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
