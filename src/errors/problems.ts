// The catalogue of everything that can go wrong for a caller; docs/errors.md and the OpenAPI responses are generated from it.

/** One row per way a request can fail. */
export interface ProblemRow {
  /** HTTP status of the response. */
  readonly status: number;
  /** Short and fixed; Cartesia's own field of the same name. */
  readonly title: string;
  /** The sentence a caller reads if the failing code has nothing more precise to say. */
  readonly message: string;
  /** Sent as `x-should-retry`, which the official SDKs obey before they look at the status. */
  readonly retryable: boolean;
  /** When it happens, for the documentation. */
  readonly when: string;
}

/** Codes are API: they are added, never renamed. */
export const PROBLEMS = {
  invalid_request: {
    status: 400,
    title: 'Invalid request',
    message: 'The request is not acceptable.',
    retryable: false,
    when: 'The body, query, a header or the target is not acceptable; the message names the field.',
  },
  invalid_version: {
    status: 400,
    title: 'Invalid version',
    message: 'Cartesia-Version must be a date such as 2026-03-01.',
    retryable: false,
    when: 'The version is not a calendar date.',
  },
  unauthenticated: {
    status: 401,
    title: 'Unauthenticated',
    message: 'A valid credential is required.',
    retryable: false,
    when: 'The credential is missing or not valid. The body is the same for all causes.',
  },
  token_expired: {
    status: 401,
    title: 'Access token expired',
    message: 'The access token has expired. Ask for a new one.',
    retryable: false,
    when: 'A proxied access token has expired.',
  },
  quota_exceeded: {
    status: 402,
    title: 'Quota exceeded',
    message: 'The budget for this period is spent.',
    retryable: false,
    when: 'A budget is spent.',
  },
  grant_not_allowed: {
    status: 403,
    title: 'Grant not allowed',
    message: 'This caller may not have a grant that it asks for.',
    retryable: false,
    when: 'The policy does not allow a grant that was asked for. Nothing is minted.',
  },
  endpoint_not_allowed: {
    status: 403,
    title: 'Endpoint not allowed',
    message: 'This caller may not use this endpoint.',
    retryable: false,
    when: 'The credential does not open this endpoint.',
  },
  origin_not_allowed: {
    status: 403,
    title: 'Origin not allowed',
    message: 'Requests from this origin are not accepted for this client app.',
    retryable: false,
    when: 'A browser page calls from an origin that the client app does not list.',
  },
  content_not_allowed: {
    status: 403,
    title: 'Content not allowed',
    message: 'This caller may not use this model, voice, language, format, length, agent or override.',
    retryable: false,
    when: 'The policy does not allow the model, voice, language, format, length, agent or agent override.',
  },
  subject_not_allowed: {
    status: 403,
    title: 'Subject not allowed',
    message: 'Only trusted client apps may name a subject in X-Broker-Subject.',
    retryable: false,
    when: 'X-Broker-Subject comes from a client app that is not marked as trusted.',
  },
  token_revoked: {
    status: 403,
    title: 'Access token revoked',
    message: 'The access token has been revoked.',
    retryable: false,
    when: 'An operator has revoked the proxied access token, shut the caller out, or ended the session.',
  },
  session_ended: {
    status: 403,
    title: 'Session ended',
    message: 'This session has reached its maximum duration. Open a new one.',
    retryable: false,
    when: 'A socket has been open for as long as the policy allows. Sent in its last event.',
  },
  https_required: {
    status: 403,
    title: 'HTTPS required',
    message: 'This service accepts HTTPS only.',
    retryable: false,
    when: 'The request came over plain HTTP while REQUIRE_HTTPS is on.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    message: 'There is no such route.',
    retryable: false,
    when: 'The route does not exist.',
  },
  request_timeout: {
    status: 408,
    title: 'Request timeout',
    message: 'The request did not arrive in time.',
    retryable: true,
    when: 'The headers or the body arrived too slowly.',
  },
  payload_too_large: {
    status: 413,
    title: 'Payload too large',
    message: 'The body is larger than this route accepts.',
    retryable: false,
    when: 'The body exceeds the limit of the route.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    message: 'Send the body as application/json.',
    retryable: false,
    when: 'The body is not of a type that the route accepts.',
  },
  expectation_failed: {
    status: 417,
    title: 'Expectation failed',
    message: 'The header Expect may only be 100-continue.',
    retryable: false,
    when: 'The Expect header is not 100-continue.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    message: 'Too many requests. Wait as long as retry-after says.',
    retryable: true,
    when: 'Too many requests from one address or one subject.',
  },
  concurrency_limited: {
    status: 429,
    title: 'Concurrency limited',
    message: 'This account, app or user is already running as much as it may at once.',
    retryable: true,
    when: 'No lease became free within the waiting time.',
  },
  headers_too_large: {
    status: 431,
    title: 'Headers too large',
    message: 'The header fields are too many or too long.',
    retryable: false,
    when: 'There are more than 100 header fields, or the header block is over 16 KB.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    message: 'The broker failed. Include the request id when you report this.',
    retryable: true,
    when: 'The broker failed. The cause is shown only in its log.',
  },
  upstream_unavailable: {
    status: 502,
    title: 'Upstream unavailable',
    message: 'Cartesia could not be reached or did not answer properly.',
    retryable: true,
    when: 'Cartesia is unreachable, or its response is broken.',
  },
  upstream_rejected: {
    status: 502,
    title: 'Upstream rejected the broker',
    message: 'Cartesia refused a request of the broker. Only the operator can fix this.',
    retryable: false,
    when: "Cartesia refused the broker's own key or request. Never shown as 401.",
  },
  store_unavailable: {
    status: 503,
    title: 'Store unavailable',
    message: 'The shared state could not be reached.',
    retryable: true,
    when: 'Redis is unreachable, and the decision needs it.',
  },
  draining: {
    status: 503,
    title: 'Draining',
    message: 'This replica is shutting down.',
    retryable: true,
    when: 'The replica is shutting down: it accepts nothing new, or has ended what was still open at the drain deadline.',
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    message: 'The broker is over its capacity.',
    retryable: true,
    when: 'The broker sheds load, has no file descriptor left, or cannot fetch the keys of an identity provider at the moment.',
  },
  upstream_timeout: {
    status: 504,
    title: 'Upstream timeout',
    message: 'Cartesia answered too late.',
    retryable: true,
    when: 'Cartesia did not answer within the deadline.',
  },
} as const satisfies Record<string, ProblemRow>;

export type ProblemCode = keyof typeof PROBLEMS;

export interface ProblemDetails {
  /** For the log only; never sent. */
  readonly cause?: unknown;
  /** Seconds for `retry-after`; clamped to 1–60 where it is written. */
  readonly retryAfterSeconds?: number;
  /** The id that upstream gave the failed request; sent as `cartesia-request-id`. */
  readonly upstreamRequestId?: string;
  /** Who failed. `upstream` = the failure is Cartesia's answer, passed on. */
  readonly source?: 'broker' | 'upstream';
  /** Cartesia's own status, code and title, which the caller sees in place of the catalogue's. */
  readonly upstream?: UpstreamAnswer;
}

export interface UpstreamAnswer {
  readonly status: number;
  readonly errorCode: string | null;
  readonly title: string;
  /** Where Cartesia says more about it. */
  readonly docUrl?: string | null;
}

/**
 * A failure that a caller may see. `message` is safe to send; `cause` goes to the log only.
 * Thrown anywhere below the routes, turned into the wire form in one place (`errors/plugin.ts`).
 */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly details: ProblemDetails;

  constructor(code: ProblemCode, message?: string, details: ProblemDetails = {}) {
    // A refusal needs no stack trace, and in a flood of refusals capturing one is a good part of what each costs.
    const { stackTraceLimit } = Error;
    if (code !== 'internal_error') Error.stackTraceLimit = 0;
    super(message ?? PROBLEMS[code].message, 'cause' in details ? { cause: details.cause } : undefined);
    Error.stackTraceLimit = stackTraceLimit;
    this.name = 'Problem';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return this.details.upstream?.status ?? PROBLEMS[this.code].status;
  }

  /** The code in `error_code` and in the log. */
  get errorCode(): string | null {
    return this.details.upstream === undefined ? this.code : this.details.upstream.errorCode;
  }

  get title(): string {
    return this.details.upstream?.title ?? PROBLEMS[this.code].title;
  }

  /** Whether the same request may succeed later. For Cartesia's own errors: whether its SDKs retry them. */
  get isRetryable(): boolean {
    const { upstream } = this.details;
    if (upstream === undefined) return PROBLEMS[this.code].retryable;
    return upstream.status === 408 || upstream.status === 409 || upstream.status === 429 || upstream.status >= 500;
  }
}
