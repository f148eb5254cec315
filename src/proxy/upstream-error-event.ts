// Reads Cartesia's error events, from streams and sockets and of any version, into one form.
import { type ErrorEventFields, fieldsOf } from '../errors/event.ts';
import { Problem } from '../errors/problems.ts';
import { isAboutOurKey, readErrorCode } from '../upstream/error-body.ts';

export interface ErrorReading {
  /** Our own, for errors without an id from upstream. */
  readonly requestId: string;
  /** Whether a text contains our key; nothing of such an event is passed on. */
  isRevealing(text: string): boolean;
  /** Called when an error says that upstream rejects our key. */
  keyRefused(status: number): void;
}

/** The text fields that are read and so may pass. */
const PASSED = ['error', 'error_code', 'title', 'message', 'context_id', 'request_id', 'doc_url'] as const;

/**
 * The older form is one text, `Title: Message`, or only a message.
 * @param contextId the context to assume if the event names none; `null` = no particular one
 */
export function readErrorEvent(
  fields: Readonly<Record<string, unknown>>,
  contextId: string | null,
  reading: ErrorReading,
): ErrorEventFields {
  // No other field passes, so only these are searched. Serializing the whole event would need a stack frame for each level of nesting.
  const isSecret = PASSED.map((name) => fields[name]).some(
    (value) => typeof value === 'string' && reading.isRevealing(value),
  );
  const text = (name: (typeof PASSED)[number]): string | null => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' && !isSecret ? value : null;
  };
  const legacy = text('error');
  const colon = legacy?.indexOf(': ') ?? -1;
  const status = statusOf(fields['status_code']);
  const errorCode = readErrorCode(text('error_code'));
  const whose = text('context_id') ?? contextId;
  const title = text('title') ?? (legacy !== null && colon > 0 ? legacy.slice(0, colon) : null);
  if (isAboutOurKey(status, { errorCode, title })) {
    reading.keyRefused(status);
    // The broker's problem, not the caller's, so the caller gets nothing of what upstream says about it.
    return fieldsOf(new Problem('upstream_rejected'), reading.requestId, whose);
  }
  const docUrl = text('doc_url');
  return {
    status,
    errorCode,
    title: title ?? 'Upstream error',
    message:
      text('message') ?? (legacy !== null ? legacy.slice(colon > 0 ? colon + 2 : 0) : 'Cartesia reported an error.'),
    requestId: text('request_id') ?? reading.requestId,
    source: 'upstream',
    contextId: whose,
    ...(docUrl === null ? {} : { docUrl }),
  };
}

function statusOf(said: unknown): number {
  return typeof said === 'number' && Number.isInteger(said) && said >= 400 && said <= 599 ? said : 500;
}
