// Reads Cartesia's error bodies: the structured object (versions from 2026-03-01) and the older plain text `Title: Message`. Lenient,
// because the form depends on the version and on any gateway between the broker and Cartesia.
// Source: https://docs.cartesia.ai/use-the-api/api-errors

/** The codes that Cartesia publishes. The list is open: others pass through. */
export const KNOWN_ERROR_CODES: ReadonlySet<string> = new Set([
  'concurrency_limited',
  'file_too_large',
  'language_not_supported',
  'model_not_found',
  'model_sunsetted',
  'plan_upgrade_required',
  'quota_exceeded',
  'unsupported_audio_format',
  'voice_model_mismatch',
  'voice_not_found',
]);

export interface UpstreamError {
  readonly errorCode: string | null;
  readonly title: string | null;
  readonly message: string | null;
  readonly requestId: string | null;
  /** Cartesia's documentation of the error. */
  readonly docUrl: string | null;
}

const NOTHING: UpstreamError = { errorCode: null, title: null, message: null, requestId: null, docUrl: null };
const TITLE_MAX = 200;
const MESSAGE_MAX = 2_000;
const DOC_URL_MAX = 1_000;
const CODE = /^[a-z][a-z0-9_]{0,63}$/;

/**
 * Never throws; what is missing, of the wrong type or not readable is `null`. Texts are truncated and free of control characters, except
 * for the line breaks of a message.
 */
export function parseErrorBody(body: string): UpstreamError {
  const text = body.trim();
  if (text.startsWith('{')) return fromObject(text);
  // HTML comes from a gateway, not from Cartesia. A JSON array or string is no form that Cartesia uses.
  if (/^[<["]/.test(text)) return NOTHING;
  return fromPlainText(text);
}

/**
 * Whether an error means that Cartesia rejects our key. A 403 with a code is about the request (such as a plan that lacks a model). The
 * older form has no codes: there, a 403 is about the request if it has a title that `KEY_TITLE` does not match.
 */
export function isAboutOurKey(
  status: number,
  { errorCode, title }: Pick<UpstreamError, 'errorCode' | 'title'>,
): boolean {
  return status === 401 || (status === 403 && errorCode === null && (title === null || KEY_TITLE.test(title)));
}

const KEY_TITLE =
  /^(?:forbidden|unauthori[sz]ed|(?:access|permission) denied|(?:invalid|bad|missing) (?:api key|credentials?))$/i;

function fromObject(text: string): UpstreamError {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = JSON.parse(text); // text that begins with a brace is either an object or not JSON
  } catch {
    return NOTHING;
  }
  return {
    errorCode: readErrorCode(fields['error_code']),
    title: readTitle(fields['title']),
    message: readMessage(fields['message']),
    requestId: readRequestId(fields['request_id']),
    docUrl: readDocUrl(fields['doc_url']),
  };
}

function fromPlainText(text: string): UpstreamError {
  const colon = text.indexOf(': ');
  // A title is a few words. A colon further on belongs to the message.
  if (colon <= 0 || colon > TITLE_MAX) return { ...NOTHING, message: readMessage(text) };
  return {
    ...NOTHING,
    title: readTitle(text.slice(0, colon)),
    message: readMessage(text.slice(colon + 2)),
  };
}

/** Codes go into logs and metrics, so only well-formed ones pass: at most 64 lower-case letters, digits and `_`. */
export function readErrorCode(value: unknown): string | null {
  return typeof value === 'string' && CODE.test(value) ? value : null;
}

function readDocUrl(value: unknown): string | null {
  const url = typeof value === 'string' && value.length <= DOC_URL_MAX ? URL.parse(value) : null;
  return url !== null && (url.protocol === 'https:' || url.protocol === 'http:') ? url.href : null;
}

function readTitle(value: unknown): string | null {
  return typeof value === 'string' ? textOrNull(value.slice(0, TITLE_MAX).replace(/\p{Cc}+/gu, ' ')) : null;
}

/** Keeps line breaks: Cartesia lists problems with several fields line by line. */
function readMessage(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const lines = value.slice(0, MESSAGE_MAX).replace(/\r\n?/g, '\n');
  return textOrNull(lines.replace(/[^\P{Cc}\n]+/gu, ' '));
}

function textOrNull(value: string): string | null {
  return value.trim() || null;
}

/**
 * Upstream's id of a request, to quote to its support. It goes into our response headers and logs, so only well-formed ids pass: at most
 * 128 letters, digits and `. _ : -` (a UUID; on sockets `uuid:context:uuid`).
 */
export function readRequestId(value: unknown): string | null {
  return typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/.test(value) ? value : null;
}
