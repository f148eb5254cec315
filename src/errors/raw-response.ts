// Writes an error response as bytes, for when there is a socket but no HTTP response object.
import { STATUS_CODES } from 'node:http';
import type { Problem } from './problems.ts';
import { errorBody, errorHeaders } from './wire.ts';

/** A whole HTTP/1.1 response that closes the connection. */
export function rawErrorResponse(problem: Problem, requestId: string): string {
  const body = JSON.stringify(errorBody(problem, requestId));
  const headers = {
    ...errorHeaders(problem),
    'x-request-id': requestId,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status] ?? 'Error'}\r\n${lines.join('')}\r\n${body}`;
}
