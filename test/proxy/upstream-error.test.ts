import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { errorBody, errorHeaders } from '../../src/errors/wire.ts';
import { type ErrorAnswer, problemOfAnswer } from '../../src/proxy/upstream-error.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/cartesia');
const NOW = Date.UTC(2026, 10, 22, 12);
const context = { isRevealing: (text: string) => text.includes('sk_car_1'), nowMs: NOW };
const answer = (status: number, body = '', more: Partial<ErrorAnswer> = {}): ErrorAnswer => ({
  status,
  body,
  requestId: null,
  retryAfter: null,
  ...more,
});

for (const file of readdirSync(FIXTURES).filter((name) => /^http\.error\./.test(name))) {
  test(`${file} is reported in the common shape`, async (t) => {
    const body = readFileSync(join(FIXTURES, file), 'utf8');
    const { problem, isKeyRefused } = problemOfAnswer(answer(400, body), context);
    t.notOk(isKeyRefused);
    t.equal(problem.status, 400);
    const told = errorBody(problem, 'ours');
    const docUrl = file.endsWith('.json') ? (JSON.parse(body) as { doc_url?: string }).doc_url : undefined;
    t.strictSame(Object.keys(told), [
      'error_code',
      'title',
      'message',
      'request_id',
      'source',
      ...(docUrl ? ['doc_url'] : []),
    ]);
    t.equal(told.doc_url, docUrl);
    t.equal(told.source, 'upstream');
    t.equal(told.request_id, 'ours');
    t.ok(told.title !== '' && told.message !== '');
    if (file.endsWith('.json')) {
      const given = JSON.parse(body) as { title: string; message: string; error_code?: string | null };
      t.equal(told.title, given.title);
      t.equal(told.error_code, given.error_code ?? null);
    } else t.equal(`${told.title}: ${told.message}`, body.trim());
  });
}

test("upstream's id is kept, preferably from the header", async (t) => {
  const body = '{"title":"T","message":"M","request_id":"in-body"}';
  const idOf = (one: ErrorAnswer): string | undefined =>
    errorHeaders(problemOfAnswer(one, context).problem)['cartesia-request-id'];
  t.equal(idOf(answer(400, body, { requestId: 'in-header' })), 'in-header');
  t.equal(idOf(answer(400, body)), 'in-body');
  t.equal(idOf(answer(400)), undefined);
  t.equal(idOf(answer(400, '', { requestId: 'sk_car_1' })), undefined, 'an id that is our key is dropped');
});

test('a rejection of our key is never a 401 or 403 for the client', async (t) => {
  for (const [status, body] of [
    [401, ''],
    [401, '{"error_code":"unauthorized","title":"Unauthorized","message":"Invalid API key"}'],
    [401, 'Unauthorized: Invalid API key'],
    [403, ''],
    [403, 'Forbidden: no'],
    [403, '{"error_code":null,"title":"Forbidden","message":"no"}'],
    [403, '<html>403</html>'],
  ] as const) {
    const { problem, isKeyRefused } = problemOfAnswer(answer(status, body, { requestId: 'up' }), context);
    t.ok(isKeyRefused);
    t.match(problem, { status: 502, code: 'upstream_rejected' });
    const told = errorBody(problem, 'ours');
    t.strictSame([told.error_code, told.source], ['upstream_rejected', 'broker']);
    t.notOk(/API key|no$/.test(told.message), told.message);
    t.equal(errorHeaders(problem)['cartesia-request-id'], 'up');
  }
  for (const body of [
    '{"error_code":"plan_upgrade_required","title":"T","message":"M"}',
    'Plan upgrade required: Your plan lacks this model.',
    "Forbidden voice: It is another account's.",
    "Voice access denied: It is another account's.",
  ]) {
    const plan = problemOfAnswer(answer(403, body), context);
    t.notOk(plan.isKeyRefused, 'a 403 with a code, or with a title that says what is missing, is about the request');
    t.equal(plan.problem.status, 403);
  }
});

test('a redirect means a broken upstream', async (t) => {
  for (const status of [300, 301, 302, 303, 304, 307, 308, 399]) {
    const { problem } = problemOfAnswer(answer(status, '<a href="https://elsewhere.example">'), context);
    t.match(problem, { status: 502, code: 'upstream_unavailable', isRetryable: true });
    t.notOk(errorBody(problem, 'ours').message.includes('elsewhere'));
  }
});

test('gateway pages and unreadable bodies keep the status and get a title', async (t) => {
  for (const [status, title] of [
    [500, 'Unexpected error'],
    [502, 'Bad gateway'],
    [503, 'Service unavailable'],
    [504, 'Gateway timeout'],
    [418, 'Upstream error'],
    [599, 'Upstream error'],
  ] as const) {
    for (const body of ['', '<html><h1>oops</h1></html>', '{broken', '[1]', '"x"']) {
      const { problem } = problemOfAnswer(answer(status, body), context);
      t.strictSame(errorBody(problem, 'ours'), {
        error_code: null,
        title,
        message: title,
        request_id: 'ours',
        source: 'upstream',
      });
      t.equal(problem.status, status);
    }
  }
});

test('Retry-After is bounded, and always set for 429 and 503', async (t) => {
  const cases: readonly [number, string | null, string | undefined][] = [
    [429, '7', '7'],
    [429, '0', '1'],
    [429, '86400', '60'],
    [429, new Date(NOW + 9000).toUTCString(), '9'],
    [429, new Date(NOW - 9000).toUTCString(), '1'],
    [429, 'soon', '1'],
    [429, '-5', '1'],
    [429, null, '1'],
    [503, '3', '3'],
    [503, null, '1'],
    [500, '3', undefined],
    [400, '3', undefined],
  ];
  for (const [status, retryAfter, expected] of cases) {
    const { problem } = problemOfAnswer(answer(status, '', { retryAfter }), context);
    t.equal(errorHeaders(problem)['retry-after'], expected, `${status} with ${retryAfter}`);
  }
});

test('x-should-retry tells SDKs to retry what they would anyway, and nothing else', async (t) => {
  for (const [status, expected] of [
    [400, false],
    [402, false],
    [404, false],
    [408, true],
    [409, true],
    [413, false],
    [422, false],
    [429, true],
    [500, true],
    [503, true],
  ] as const) {
    const { problem } = problemOfAnswer(answer(status), context);
    t.equal(errorHeaders(problem)['x-should-retry'], String(expected), String(status));
  }
});

test('an answer that repeats our key is reported without its text', async (t) => {
  for (const body of [
    '{"error_code":"x","title":"T","message":"key sk_car_1","request_id":"up"}',
    'Bad: sk_car_1',
    '{"title":"T","message":"M","other":"sk_car_1"}',
  ]) {
    const { problem } = problemOfAnswer(answer(400, body), context);
    t.strictSame(errorBody(problem, 'ours'), {
      error_code: null,
      title: 'Invalid request',
      message: 'Invalid request',
      request_id: 'ours',
      source: 'upstream',
    });
    t.notOk(String(problem.details.cause).includes('sk_car_1'));
  }
});
