import { STATUS_CODES } from 'node:http';
import { test } from 'tap';
import { PROBLEMS, Problem, type ProblemCode } from '../../src/errors/problems.ts';
import { rawErrorResponse } from '../../src/errors/raw-response.ts';
import { clampRetryAfter, errorBody, errorHeaders } from '../../src/errors/wire.ts';

const ID = '0f8b2a52-7c55-4a93-9b0e-3f0a8f7f8f11';
const CODES = Object.keys(PROBLEMS) as ProblemCode[];

test('every problem in the catalogue has the same body fields and reveals nothing of its cause', async (t) => {
  for (const code of CODES) {
    const problem = new Problem(code, undefined, { cause: new Error('of the log only') });
    t.strictSame(errorBody(problem, ID), {
      error_code: code,
      title: PROBLEMS[code].title,
      message: PROBLEMS[code].message,
      request_id: ID,
      source: 'broker',
    });
    t.notMatch(JSON.stringify(errorHeaders(problem)), 'of the log only');
  }
});

test('retry hints are headers: retry-after for 429 and 503, x-should-retry for all', async (t) => {
  for (const code of CODES) {
    const { status, retryable } = PROBLEMS[code];
    const headers = errorHeaders(new Problem(code));
    t.equal(headers['x-should-retry'], String(retryable), code);
    t.equal(headers['retry-after'], status === 429 || status === 503 ? '1' : undefined, code);
    t.equal(headers['www-authenticate'], status === 401 ? 'Bearer' : undefined, code);
    t.match(headers, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }, code);
    t.notOk('cartesia-request-id' in headers, 'upstream was not called');
  }
});

test('retry-after is 1 to 60 whole seconds, whatever was computed', async (t) => {
  for (const [seconds, expected] of [
    [0, 1],
    [-5, 1],
    [0.2, 1],
    [1.2, 2],
    [59.01, 60],
    [60, 60],
    [3600, 60],
    [Number.NaN, 1],
    [Number.POSITIVE_INFINITY, 1],
  ] as const)
    t.equal(clampRetryAfter(seconds), expected, String(seconds));
  t.equal(errorHeaders(new Problem('rate_limited', undefined, { retryAfterSeconds: 3600 }))['retry-after'], '60');
});

test("upstream's request id is sent in its own header", async (t) => {
  const problem = new Problem('upstream_unavailable', undefined, { upstreamRequestId: 'req_1', source: 'upstream' });
  t.equal(errorHeaders(problem)['cartesia-request-id'], 'req_1');
  t.equal(errorBody(problem, ID).source, 'upstream');
  t.equal(errorBody(problem, ID).request_id, ID);
});

test("an upstream error keeps upstream's status and words", async (t) => {
  const upstream = { status: 402, errorCode: null, title: 'Payment required', docUrl: 'https://docs.example/402' };
  const problem = new Problem('upstream_rejected', 'Top up.', { upstream, source: 'upstream' });
  t.strictSame(errorBody(problem, ID), {
    error_code: null,
    title: 'Payment required',
    message: 'Top up.',
    request_id: ID,
    source: 'upstream',
    doc_url: 'https://docs.example/402',
  });
  t.equal(problem.status, 402);
  for (const [status, isRetryable] of [
    [400, false],
    [402, false],
    [408, true],
    [409, true],
    [410, false],
    [429, true],
    [499, false],
    [500, true],
    [529, true],
  ] as const) {
    const answered = new Problem('upstream_rejected', undefined, { upstream: { ...upstream, status } });
    t.equal(answered.isRetryable, isRetryable, `as Cartesia's SDKs retry ${status}`);
  }
});

test('a raw error response is one whole response that closes the connection', async (t) => {
  for (const code of CODES) {
    const response = rawErrorResponse(new Problem(code, 'Ein Satz mit Umlauten: äöü.'), ID);
    const [head = '', body = ''] = response.split('\r\n\r\n');
    const { status, retryable } = PROBLEMS[code];
    t.ok(head.startsWith(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`), code);
    t.match(head, `\r\nx-should-retry: ${retryable}\r\n`);
    t.match(head, '\r\ncontent-type: application/json; charset=utf-8\r\n');
    t.match(head, new RegExp(`\\r\\ncontent-length: ${Buffer.byteLength(body)}(\\r\\n|$)`), 'counted in bytes');
    t.match(head, /\r\nconnection: close(\r\n|$)/);
    t.match(head, new RegExp(`\\r\\nx-request-id: ${ID}\\r\\n`));
    t.notMatch(head, /[^\r]\n|\r[^\n]/);
    t.equal(JSON.parse(body).error_code, code);
  }
  const upstream = { status: 529, errorCode: null, title: 'Overloaded' };
  t.match(rawErrorResponse(new Problem('overloaded', undefined, { upstream }), ID), /^HTTP\/1\.1 529 Error\r\n/);
});

test('a refusal has no stack, which costs more than its response; an internal error has one', (t) => {
  const { stackTraceLimit } = Error;
  for (const code of CODES) {
    const { stack } = new Problem(code);
    t.equal(/^ +at /m.test(stack ?? ''), code === 'internal_error', code);
    t.match(stack, PROBLEMS[code].message);
    t.equal(Error.stackTraceLimit, stackTraceLimit);
  }
  t.end();
});
