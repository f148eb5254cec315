// Checks that a request is refused and that nothing after it on its connection runs.
import type { Test } from 'tap';
import type { ProblemCode } from '../../src/errors/problems.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw, type RawResponse } from './raw-connection.ts';

/**
 * Expects one refusal, then the end within a second. The caller checks what happened at Cartesia.
 * @param bytes the request, followed by one that would be served if it were reached
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
  t.equal(connection.rest(), '', 'one answer, and nothing after it ran');
  return response;
}
