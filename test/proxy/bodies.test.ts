import { Readable } from 'node:stream';
import { test } from 'tap';
import { isJsonBody, isStream, readJsonBody } from '../../src/proxy/bodies.ts';

const bodyOf = (...pieces: string[]): Readable =>
  Readable.from(
    pieces.map((piece) => Buffer.from(piece)),
    { objectMode: false },
  );

test('a body that was already parsed is returned as it is', async (t) => {
  const body = { bytes: Buffer.from('{}'), value: {} };
  t.equal(await readJsonBody(body, 'application/json', 10), body);
});

test('a body without a media type is read as JSON, and its bytes stay as they came', async (t) => {
  const text = '{ "transcript" : "caf\\u00e9 é", "n": 1.0 }';
  const { bytes, value } = await readJsonBody(bodyOf(text.slice(0, 20), text.slice(20)), undefined, 1000);
  t.equal(bytes.toString(), text);
  t.strictSame(value, { transcript: 'café é', n: 1 });
});

test('a body of another media type is refused without being read', async (t) => {
  const body = bodyOf('{}');
  await t.rejects(readJsonBody(body, 'text/plain', 10), { code: 'unsupported_media_type' });
  t.equal(body.readableDidRead, false);
});

test('a body that is not unambiguously one JSON object is refused', async (t) => {
  for (const text of ['', '[]', 'null', '"a"', '1', '{', '{} x', '{"a":1,"a":2}', '\ufeff{}', '{"a":01}', "{'a':1}"]) {
    await t.rejects(readJsonBody(bodyOf(text), undefined, 100), { code: 'invalid_request' }, text);
  }
  await t.rejects(readJsonBody(undefined, undefined, 100), { code: 'invalid_request' });
  await t.rejects(readJsonBody(null, undefined, 100), { code: 'invalid_request' });
});

test('a body over the limit is refused before it is read to the end', async (t) => {
  let asked = 0;
  const endless = new Readable({
    read() {
      asked += 1;
      this.push(Buffer.alloc(100));
    },
  });
  await t.rejects(readJsonBody(endless, undefined, 1000), { code: 'payload_too_large' });
  t.ok(asked < 2000, `${asked} reads`);
  t.equal(
    (await readJsonBody(bodyOf(`{"a":"${'x'.repeat(92)}"}`), undefined, 100)).bytes.length,
    100,
    'one at the limit passes',
  );
});

test('a body that breaks off is an error, not an empty body', async (t) => {
  const broken = new Readable({
    read() {
      this.destroy(new Error('gone'));
    },
  });
  await t.rejects(readJsonBody(broken, undefined, 100), { message: 'gone' });
});

test('JSON bodies and streams can be told apart', async (t) => {
  t.ok(isJsonBody({ bytes: Buffer.alloc(0), value: null }));
  t.notOk(isJsonBody(bodyOf('x')));
  t.notOk(isJsonBody(null));
  t.ok(isStream(bodyOf('x')));
  t.notOk(isStream({ bytes: 1, value: 2 }));
  t.notOk(isStream('text'));
});
