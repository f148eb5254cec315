import { isRecord } from '../http/request-body.ts';

/** A text frame as a JSON object, or null where it is something else. */
export function parsedMessage(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
