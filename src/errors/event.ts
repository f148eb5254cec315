// Builds error events for streams and sockets, with the fields that every generation of clients reads.
import type { Problem } from './problems.ts';

export interface ErrorEventFields {
  readonly status: number;
  readonly errorCode: string | null;
  readonly title: string;
  readonly message: string;
  /** Upstream's id if the failure is upstream's, otherwise ours. */
  readonly requestId: string;
  readonly source: 'broker' | 'upstream';
  readonly contextId: string | null;
  readonly docUrl?: string;
}

/**
 * @param requestId ours
 * @param contextId the context that failed; `null` = none in particular
 */
export function fieldsOf(problem: Problem, requestId: string, contextId: string | null): ErrorEventFields {
  const { status, errorCode, title, message, details } = problem;
  return { status, errorCode, title, message, requestId, source: details.source ?? 'broker', contextId };
}

/**
 * The superset event: `title` and `message` for clients of API versions from 2026-03-01, `error` for those before, `done` and
 * `status_code` for all of them, and `context_id`, without which some wait forever.
 * @see https://docs.cartesia.ai/use-the-api/api-errors
 */
export function ttsErrorEvent(fields: ErrorEventFields): Readonly<Record<string, unknown>> {
  return {
    type: 'error',
    done: true,
    status_code: fields.status,
    error: `${fields.title}: ${fields.message}`,
    error_code: fields.errorCode,
    title: fields.title,
    message: fields.message,
    request_id: fields.requestId,
    source: fields.source,
    ...(fields.docUrl === undefined ? {} : { doc_url: fields.docUrl }),
    ...(fields.contextId === null ? {} : { context_id: fields.contextId }),
  };
}

/**
 * The error event of a transcription socket, which has neither `done` nor `context_id`. Older clients read `message`.
 * @see https://docs.cartesia.ai/api-reference/stt/websocket
 */
export function sttErrorEvent(fields: ErrorEventFields): Readonly<Record<string, unknown>> {
  return {
    type: 'error',
    status_code: fields.status,
    error_code: fields.errorCode,
    title: fields.title,
    message: fields.message,
    request_id: fields.requestId,
    source: fields.source,
    ...(fields.docUrl === undefined ? {} : { doc_url: fields.docUrl }),
  };
}

/**
 * The error event of a managed agent's socket, which has a form of its own.
 * @param isFatal whether the socket is closed after it
 * @see https://docs.cartesia.ai/api-reference/agents/agent-websocket
 */
export function agentErrorEvent(code: string, message: string, isFatal: boolean): Readonly<Record<string, unknown>> {
  return { type: 'error', code, message, fatal: isFatal };
}
