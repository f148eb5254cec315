import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'tap';
import { KNOWN_ERROR_CODES, parseErrorBody, readRequestId } from '../../src/upstream/error-body.ts';

const FIXTURES = new URL('../fixtures/cartesia/', import.meta.url);
const NOTHING = { errorCode: null, title: null, message: null, requestId: null, docUrl: null };

function fixtures(prefix: string): { name: string; text: string }[] {
  return readdirSync(FIXTURES)
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ name, text: readFileSync(new URL(name, FIXTURES), 'utf8') }));
}

test('every structured example is parsed', async (t) => {
  const files = fixtures('http.error.structured.');
  t.ok(files.length > 10);
  for (const { name, text } of files) {
    const expected = JSON.parse(text);
    const parsed = parseErrorBody(text);
    t.equal(parsed.errorCode, expected.error_code ?? null, name);
    t.equal(parsed.title, expected.title, name);
    t.equal(parsed.message, expected.message, name);
    t.equal(parsed.requestId, expected.request_id ?? null, name);
    t.equal(parsed.docUrl, expected.doc_url ?? null, name);
    if (parsed.errorCode !== null && !name.includes('unknown'))
      t.ok(KNOWN_ERROR_CODES.has(parsed.errorCode ?? ''), name);
  }
});

test('every legacy text is parsed', async (t) => {
  const files = fixtures('http.error.legacy.');
  t.ok(files.length > 10);
  for (const { name, text } of files) {
    const [title, ...rest] = text.trim().split(': ');
    t.strictSame(parseErrorBody(text), { ...NOTHING, title, message: rest.join(': ') }, name);
  }
});

test('surrounding white space and punctuation inside the text change nothing', async (t) => {
  t.strictSame(parseErrorBody('\r\n {"error_code":"voice_not_found"}\n'), { ...NOTHING, errorCode: 'voice_not_found' });
  const message = 'field "voice" <id> must not be [1]';
  t.strictSame(parseErrorBody(`\nInvalid request: ${message}\n`), { ...NOTHING, title: 'Invalid request', message });
});

test('a body that is not a Cartesia error yields nothing', async (t) => {
  const bodies = [
    '',
    '   ',
    '{',
    '{} x',
    '[]',
    '[{"title":"x"}]',
    '"text"',
    '<html><h1>502: Bad Gateway</h1></html>',
    '<!doctype html>',
    '{"title":1,"message":{},"error_code":[],"request_id":true}',
    '{"error":"x"}',
    '{"__proto__":{"title":"x"}}',
  ];
  for (const body of bodies) t.strictSame(parseErrorBody(body), NOTHING, body);
});

test('doc_url is kept only if it is a web address of moderate length', async (t) => {
  const told = (docUrl: unknown): string | null => parseErrorBody(JSON.stringify({ doc_url: docUrl })).docUrl;
  for (const url of ['https://docs.cartesia.ai/x?y#z', 'http://docs.example/x']) t.equal(told(url), url);
  for (const other of [
    'javascript:alert(1)',
    'docs.cartesia.ai',
    '',
    7,
    null,
    `https://a.example/${'x'.repeat(1_000)}`,
  ])
    t.equal(told(other), null, String(other).slice(0, 30));
});

test('text without a title is a message', async (t) => {
  t.strictSame(parseErrorBody('upstream connect error'), { ...NOTHING, message: 'upstream connect error' });
  t.strictSame(parseErrorBody(': x'), { ...NOTHING, message: ': x' });
  const long = `${'a'.repeat(300)}: b`;
  t.strictSame(parseErrorBody(long), { ...NOTHING, message: long });
});

test('long texts are cut, and only a message may have line breaks', async (t) => {
  const parsed = parseErrorBody(
    JSON.stringify({
      title: `a\nb\t${'t'.repeat(5_000)}`,
      message: `a\r\nb\u0000\u001b[31mc\u0085d\re${'m'.repeat(5_000)}`,
    }),
  );
  t.equal(parsed.title?.length, 200);
  t.ok(parsed.title?.startsWith('a b t'));
  t.ok(parsed.message?.startsWith('a\nb [31mc d\nem'));
  t.ok((parsed.message?.length ?? 0) <= 2_000);
  t.strictSame(
    parseErrorBody('{"title":" T\\n","message":"\\n\\t"}'),
    { ...NOTHING, title: 'T' },
    'blank text counts as none',
  );
  t.equal(parseErrorBody(`Title: ${'m'.repeat(5_000)}`).message?.length, 2_000);
});

test('a malformed error code is dropped', async (t) => {
  for (const code of ['Quota exceeded', 'a\nb', '', 'A', '1x', 'x'.repeat(65)]) {
    t.equal(parseErrorBody(JSON.stringify({ error_code: code })).errorCode, null, code);
  }
});

test('a request id must look like one', async (t) => {
  for (const id of [
    '5f0c1d7e-3b8a-4c55-9b1e-7a2d9f60c3a1',
    '5f0c1d7e:ctx_1:7a2d',
    '0123456789abcdef',
    'a'.repeat(128),
  ]) {
    t.equal(readRequestId(id), id);
  }
  for (const id of [
    '',
    'a b',
    'a\r\nset-cookie: x',
    '-a',
    'é',
    '{}',
    '"a"',
    'a'.repeat(129),
    5,
    null,
    undefined,
    ['a', 'b'],
  ]) {
    t.equal(readRequestId(id), null, String(id));
  }
});
