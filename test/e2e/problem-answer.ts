// What every refusal of the broker must look like.
import type { Test } from 'tap';
import { PROBLEMS, type ProblemCode } from '../../src/errors/problems.ts';
import type { RawResponse } from './raw-connection.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Checks the status, the whole body, its length, the request id in both places, and the headers that every refusal has. */
export function isProblem(t: Test, response: RawResponse, code: ProblemCode, name = ''): void {
  const { status, headers, body, json } = response;
  const says = name === '' ? '' : `${name}: `;
  t.equal(status, PROBLEMS[code].status, `${says}status of ${code}`);
  const { message, request_id: requestId, ...rest } = json;
  t.strictSame(rest, { error_code: code, title: PROBLEMS[code].title, source: 'broker' }, `${says}body`);
  t.type(message, 'string', `${says}message`);
  t.match(requestId, UUID, `${says}request id`);
  t.match(
    headers,
    {
      'x-request-id': requestId,
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(body, 'latin1')),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-should-retry': String(PROBLEMS[code].retryable),
    },
    `${says}headers`,
  );
}
