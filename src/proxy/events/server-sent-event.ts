// Reads a server-sent event, and writes an error event. Pure.
// https://html.spec.whatwg.org/multipage/server-sent-events.html

export interface ServerSentEvent {
  /** From its `event` line; empty if it has none. */
  readonly name: string;
  /** Its `data` lines, joined. */
  readonly data: string;
  /** The JSON object in the data; `null` if the data is none. */
  readonly fields: Readonly<Record<string, unknown>> | null;
}

export function eventOf(bytes: Buffer): ServerSentEvent {
  let name = '';
  const lines: string[] = [];
  for (const line of bytes.toString('utf8').split(/\r\n?|\n/)) {
    const colon = line.indexOf(':');
    const value = line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1);
    if (line.startsWith('data:')) lines.push(value);
    else if (line.startsWith('event:')) name = value;
  }
  const data = lines.join('\n');
  return { name, data, fields: objectIn(data) };
}

/** An error event for every generation of clients: some go by the name, others by the data. */
export function errorFrame(event: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(`event: error\ndata: ${JSON.stringify(event)}\n\n`);
}

export function isError({ name, data, fields }: ServerSentEvent): boolean {
  return fields?.['type'] === 'error' || (name === 'error' && data !== '');
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null; // true of any object
  } catch {
    return null;
  }
}
