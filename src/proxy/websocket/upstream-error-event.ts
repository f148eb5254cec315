// Error events of Cartesia's sockets, of any version and form, read into one.
import type { ErrorEventFields } from '../../errors/event.ts';
import type { Fields } from './message-fields.ts';

export interface ErrorReading {
  /** Ours, for errors that have no id of upstream's. */
  readonly requestId: string;
  readonly contextId: string | null;
  /** Whether a text contains our key: nothing of such an event is passed on. */
  readonly isRevealing: (text: string) => boolean;
}

/** The older form is one text, `Title: Message`, or only a message. */
export function readErrorEvent(fields: Fields, reading: ErrorReading): ErrorEventFields {
  const isSecret = reading.isRevealing(JSON.stringify(fields));
  const text = (name: string): string | null => {
    const value = fields[name];
    return typeof value === 'string' && value !== '' && !isSecret ? value : null;
  };
  const legacy = text('error');
  const colon = legacy?.indexOf(': ') ?? -1;
  const status = fields['status_code'];
  const docUrl = text('doc_url');
  return {
    status: typeof status === 'number' && Number.isInteger(status) ? status : 500,
    errorCode: text('error_code'),
    title: text('title') ?? (legacy !== null && colon > 0 ? legacy.slice(0, colon) : 'Upstream error'),
    message:
      text('message') ?? (legacy !== null ? legacy.slice(colon > 0 ? colon + 2 : 0) : 'Cartesia reported an error.'),
    requestId: text('request_id') ?? reading.requestId,
    source: 'upstream',
    contextId: reading.contextId,
    ...(docUrl === null ? {} : { docUrl }),
  };
}
