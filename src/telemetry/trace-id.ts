// The trace that a request is part of, so that the caller's tracing and the broker's log lines can be found from each other.
import type { IncomingHttpHeaders } from 'node:http';

/** @returns 32 hexadecimal digits; `null` = the caller names no trace. @see W3C Trace Context, `traceparent` */
export function traceIdOf({ traceparent }: IncomingHttpHeaders): string | null {
  if (typeof traceparent !== 'string') return null;
  const found = TRACEPARENT.exec(traceparent);
  if (found === null) return null;
  const [, version = '', traceId = '', parentId = '', rest = ''] = found;
  if (version === 'ff' || (version === '00' && rest !== '')) return null; // later versions may append fields
  return NOTHING.test(traceId) || NOTHING.test(parentId) ? null : traceId;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;
const NOTHING = /^0+$/;
