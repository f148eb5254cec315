import { isRecord } from '../is-record.ts';

/** Parses a text frame as a JSON object; null if it is anything else. */
export function parsedMessage(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}
