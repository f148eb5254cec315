// Every error of the simulated API, and the forms in which it is reported.

/** One failure, independent of the transport that reports it. */
export interface Problem {
  readonly status: number;
  readonly errorCode: string | null;
  readonly title: string;
  readonly message: string;
  readonly docUrl?: string;
}

/**
 * Titles and messages are those of Cartesia's published examples where there is one, else invented.
 * @see https://docs.cartesia.ai/use-the-api/api-errors
 */
export const PROBLEMS = {
  concurrency_limited: {
    status: 429,
    errorCode: 'concurrency_limited',
    title: 'Too many concurrent requests',
    message: "You have exceeded your plan's concurrency limit.",
  },
  quota_exceeded: {
    status: 402,
    errorCode: 'quota_exceeded',
    title: 'Quota exceeded',
    message: 'You have used all the credits of your plan.',
  },
  voice_model_mismatch: {
    status: 400,
    errorCode: 'voice_model_mismatch',
    title: 'Voice and model mismatch',
    message: 'The voice is not compatible with the requested model.',
  },
  voice_not_found: {
    status: 400,
    errorCode: 'voice_not_found',
    title: 'Invalid voice',
    message: 'The voice is not valid, make sure it is a valid voice ID.',
  },
  model_not_found: {
    status: 400,
    errorCode: 'model_not_found',
    title: 'Invalid model',
    message: 'The model is not valid, make sure it is a valid model ID.',
    docUrl: 'https://docs.cartesia.ai/build-with-cartesia/tts-models/latest',
  },
  language_not_supported: {
    status: 400,
    errorCode: 'language_not_supported',
    title: 'Language not supported',
    message: 'The model does not support the requested language.',
  },
  file_too_large: {
    status: 413,
    errorCode: 'file_too_large',
    title: 'File too large',
    message: 'The file exceeds the maximum upload size.',
  },
  unsupported_audio_format: {
    status: 400,
    errorCode: 'unsupported_audio_format',
    title: 'Unsupported audio format',
    message: 'The audio format is not supported.',
  },
  plan_upgrade_required: {
    status: 403,
    errorCode: 'plan_upgrade_required',
    title: 'Plan upgrade required',
    message: 'This feature is not available on your plan.',
  },
  model_sunsetted: {
    status: 400,
    errorCode: 'model_sunsetted',
    title: 'Model sunsetted',
    message: 'The requested model has been sunsetted and is no longer available.',
  },
  unauthorized: { status: 401, errorCode: null, title: 'Unauthorized', message: 'Invalid credentials.' },
  forbidden: {
    status: 403,
    errorCode: null,
    title: 'Forbidden',
    message: 'This token does not have the required grant.',
  },
  invalid_request: { status: 400, errorCode: null, title: 'Invalid request', message: 'The request is not valid.' },
  context_id_invalid: {
    status: 400,
    errorCode: null,
    title: 'context_id is invalid',
    message: 'must not be empty',
  },
  not_found: {
    status: 404,
    errorCode: null,
    title: 'Not found',
    message: 'The requested resource does not exist.',
  },
  unexpected: {
    status: 500,
    errorCode: null,
    title: 'Unexpected error',
    message: 'An unexpected error occurred, please contact support@cartesia.ai if the problem persists.',
  },
} as const satisfies Record<string, Problem>;

export type ProblemName = keyof typeof PROBLEMS;

/** The part of the settings that gives the statuses. */
export interface StatusSource {
  readonly errorStatuses: Readonly<Record<ProblemName, number>>;
}

/** The problem of that name with its status from the settings; `text` replaces title or message. */
export function problem(
  settings: StatusSource,
  name: ProblemName,
  text: { readonly title?: string; readonly message?: string } = {},
): Problem {
  return { ...PROBLEMS[name], ...text, status: settings.errorStatuses[name] };
}

/** The body of an HTTP error: the structured object, or `Title: Message` as text. */
export function httpErrorBody(
  problem: Problem,
  form: { readonly structured: boolean; readonly requestId: string },
): { readonly contentType: string; readonly body: string } {
  if (!form.structured) return { contentType: 'text/plain; charset=utf-8', body: legacyText(problem) };
  const { errorCode, title, message } = problem;
  const body = { error_code: errorCode, title, message, request_id: form.requestId, ...docUrl(problem) };
  return { contentType: 'application/json', body: JSON.stringify(body) };
}

/** `error` event of the TTS socket and of SSE. SSE events carry a context id only in the legacy form. */
export function ttsErrorEvent(
  problem: Problem,
  form: {
    readonly structured: boolean;
    readonly requestId: string;
    readonly contextId?: string | undefined;
    readonly transport: 'websocket' | 'sse';
  },
): Readonly<Record<string, unknown>> {
  const context = form.contextId === undefined ? {} : { context_id: form.contextId };
  const { status, errorCode, title, message } = problem;
  if (!form.structured)
    return { type: 'error', status_code: status, done: true, error: legacyText(problem), ...context };
  return {
    type: 'error',
    done: true,
    status_code: status,
    error_code: errorCode,
    title,
    message,
    ...docUrl(problem),
    request_id: form.requestId,
    ...(form.transport === 'websocket' ? context : {}),
  };
}

/** `error` event of both STT sockets: neither `done` nor `context_id`, in either form. */
export function sttErrorEvent(
  problem: Problem,
  form: { readonly structured: boolean; readonly requestId: string },
): Readonly<Record<string, unknown>> {
  const { status, errorCode, title, message } = problem;
  if (!form.structured) return { type: 'error', request_id: form.requestId, message: legacyText(problem) };
  return {
    type: 'error',
    status_code: status,
    error_code: errorCode,
    title,
    message,
    ...docUrl(problem),
    request_id: form.requestId,
  };
}

/** `Title: Message`, the form of API versions before 2026-03-01. */
function legacyText({ title, message }: Problem): string {
  return `${title}: ${message}`;
}

function docUrl({ docUrl: url }: Problem): { doc_url?: string } {
  return url === undefined ? {} : { doc_url: url };
}
