// The error that a failed request for an access token throws.

export interface BrokerFailure {
  readonly status: number;
  readonly code: string | null;
  readonly requestId: string | null;
  readonly isRetryable: boolean;
  readonly retryAfterSeconds: number | null;
}

/** The broker refused, or was not reached. React to `status` and `code`; the message is for the developer who reads it. */
export class BrokerError extends Error implements BrokerFailure {
  override readonly name = 'BrokerError';
  /** HTTP status. 0: no response (offline, a timeout, a wrong address, or a page whose origin the broker does not list). */
  readonly status: number;
  /** The broker's `error_code`, such as `unauthenticated` or `grant_not_allowed`. */
  readonly code: string | null;
  /** The id under which the broker logged the request. */
  readonly requestId: string | null;
  /** Whether the same request can succeed later. */
  readonly isRetryable: boolean;
  /** Do not ask again sooner than this. */
  readonly retryAfterSeconds: number | null;

  constructor(message: string, failure: BrokerFailure, options?: { readonly cause: unknown }) {
    super(message, options);
    this.status = failure.status;
    this.code = failure.code;
    this.requestId = failure.requestId;
    this.isRetryable = failure.isRetryable;
    this.retryAfterSeconds = failure.retryAfterSeconds;
  }
}
