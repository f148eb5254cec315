// A connection on which a request is refused, and nothing behind it runs.
import type { Test } from 'tap';
import type { ProblemCode } from '../../src/errors/problems.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw, type RawResponse } from './raw-connection.ts';

/**
 * One refusal, then the end within a second. What happened at Cartesia, the caller looks at.
 * @param bytes the request, and behind it one that would be served if anybody got there
 */
export async function isRefusedAndClosed(
  t: Test,
  url: string,
  bytes: string,
  code: ProblemCode = 'invalid_request',
): Promise<RawResponse> {
  const connection = await openRaw(t, url);
  connection.send(bytes);
  const response = await connection.response();
  isProblem(t, response, code);
  t.equal(response.headers['connection'], 'close');
  t.ok((await connection.ended()) < 1000, 'the connection ends within a second');
  t.equal(connection.rest(), '', 'one answer, and nothing behind it ran');
  return response;
}
