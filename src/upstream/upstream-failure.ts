// Why a call to upstream brought no usable response, in our own words. The HTTP client's errors go no further: they carry bytes that
// upstream sent, and upstream may echo our key.
import { closeSync, openSync } from 'node:fs';
import { Problem, type ProblemCode } from '../errors/problems.ts';

export type FailureKind =
  /** No connection: refused, unreachable, unknown name. */
  | 'unreachable'
  /** No file descriptor or system memory is left for a connection. A problem of ours: upstream was not asked. */
  | 'exhausted'
  /** Connecting took too long. */
  | 'connect_timeout'
  /** The certificate is not acceptable, or the TLS handshake failed. No HTTP was sent. */
  | 'tls'
  /** The connection ended before the response was complete. */
  | 'cut'
  /** The response is not valid HTTP/1.1. */
  | 'malformed'
  /** The head or body of the response exceeds its limit. */
  | 'oversized'
  /** The deadline of the call passed. */
  | 'deadline'
  /** A complete response, but not one that the call can use. */
  | 'answer'
  /** A fault of ours. */
  | 'internal';

/** The `cause` of a Problem, made for the log: contains nothing that upstream or a caller wrote, except by allow-list. */
export class UpstreamFailure extends Error {
  readonly kind: FailureKind;
  /** Node's or undici's code, or one of our own: `ECONNREFUSED`, `CERT_HAS_EXPIRED`, `HTTPParserError`, `status 503`. */
  readonly code: string;

  constructor(kind: FailureKind, code: string, note?: string) {
    super(note === undefined ? `${kind}: ${code}` : `${kind}: ${code}: ${note}`);
    this.name = 'UpstreamFailure';
    this.kind = kind;
    this.code = code;
  }
}

const KIND_BY_CODE: Readonly<Record<string, FailureKind>> = {
  ECONNREFUSED: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EMFILE: 'exhausted',
  ENFILE: 'exhausted',
  ENOBUFS: 'exhausted',
  ENOMEM: 'exhausted',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'connect_timeout',
  ETIMEDOUT: 'connect_timeout',
  EPROTO: 'tls',
  UND_ERR_HEADERS_OVERFLOW: 'oversized',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'oversized',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'malformed',
  HTTPParserError: 'malformed',
  UND_ERR_INVALID_ARG: 'internal',
  UND_ERR_NOT_SUPPORTED: 'internal',
  ERR_ASSERTION: 'internal',
  ERR_WEBASSEMBLY_NOT_SUPPORTED: 'internal',
};
// Node's codes for a failed handshake and for a certificate that does not verify:
// https://nodejs.org/api/tls.html#x509-certificate-error-codes
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|CERT_|CRL_|ERROR_IN_C|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|UNSPECIFIED$)/;
/** Turns an error from undici or Node into a failure. Only the error's code is taken over, never its message or properties. */
export function toUpstreamFailure(error: unknown): UpstreamFailure {
  if (error instanceof UpstreamFailure) return error;
  const code = readCode(error);
  if (MAY_BE_EMFILE.has(code) && !isFileLeft()) return new UpstreamFailure('exhausted', 'EMFILE');
  return new UpstreamFailure(KIND_BY_CODE[code] ?? kindByPattern(code), code);
}

/** How Node reports a name lookup or module load that failed because no file can be opened. */
const MAY_BE_EMFILE: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_INVALID_PACKAGE_CONFIG',
  'ERR_MODULE_NOT_FOUND',
]);

/** Whether the process can still open a file. */
function isFileLeft(): boolean {
  try {
    closeSync(openSync('/dev/null', 'r'));
    return true;
  } catch (error) {
    return KIND_BY_CODE[readCode(error)] !== 'exhausted';
  }
}

function kindByPattern(code: string): FailureKind {
  if (TLS_CODE.test(code)) return 'tls';
  // ECONNRESET, EPIPE, UND_ERR_SOCKET and anything else that ends a connection.
  return 'cut';
}

function readCode(error: unknown): string {
  if (!(error instanceof Error)) return 'UNKNOWN';
  // Its code is `HPE_` and a reason, or undefined: undici 8 looks the reason up the wrong way round.
  if (error.name === 'HTTPParserError') return error.name;
  const code = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : 'UNKNOWN';
}

/** What a caller sees of a failure. The failure itself is the `cause`, for the log. */
export function problemOfFailure(failure: UpstreamFailure): Problem {
  return new Problem(codeOf(failure.kind), undefined, { cause: failure });
}

function codeOf(kind: FailureKind): ProblemCode {
  switch (kind) {
    case 'connect_timeout':
    case 'deadline':
      return 'upstream_timeout';
    case 'exhausted':
      return 'overloaded';
    case 'internal':
      return 'internal_error';
    default:
      return 'upstream_unavailable';
  }
}

const QUOTE_MAX = 300;

/**
 * Prepares upstream's text for our log. Anything that could be a credential, in any encoding, is left out: every run of twelve or more
 * characters without a space that is not a plain word.
 */
export function quoteForLog(text: string): string {
  return text
    .slice(0, QUOTE_MAX)
    .replace(/\p{Cc}+/gu, ' ')
    .replace(/\S{12,}/gu, (run) => (/^[A-Z]?[a-z]{1,23}[.,;:!?]?$/.test(run) ? run : '[…]'));
}
