import fc from 'fast-check';
import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { parseStrictJson } from '../../src/listener/parse-strict-json.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'utf8');
const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const wide = (keys: number): string => `{${Array.from({ length: keys }, (_, i) => `"k${i}":0`).join()}}`;

const REFUSED: readonly [string, Buffer][] = [
  ['nothing', bytes('')],
  ['white space only', bytes('  ')],
  ['an open brace', bytes('{')],
  ['something after the value', bytes('{} x')],
  ['two values', bytes('{}{}')],
  ['a single quote', bytes("{'a':1}")],
  ['a trailing comma', bytes('{"a":1,}')],
  ['a comment', bytes('{}//')],
  ['NaN', bytes('{"a":NaN}')],
  ['the same key twice', bytes('{"expires_in":1,"expires_in":3600}')],
  ['the same key twice, one escaped', bytes('{"tts":true,"\\u0074ts":false}')],
  ['the same key twice, further down', bytes('{"grants":{"tts":true,"tts":false}}')],
  ['the same key twice with an object between', bytes('{"a":{"b":1},"c":[{}],"a":2}')],
  ['__proto__', bytes('{"__proto__":{"tts":true}}')],
  ['__proto__, escaped', bytes('{"__pr\\u006fto__":{"tts":true}}')],
  ['constructor', bytes('{"constructor":{"prototype":{}}}')],
  ['21 levels', bytes(nested(21))],
  ['101 keys', bytes(wide(101))],
  ['10,001 values', bytes(`[${'0,'.repeat(10_000)}0]`)],
  ['10,001 objects', bytes(`[${'{},'.repeat(5_000)}{}]`)],
  ['a string without an end, after 10,000 characters', bytes(`[${' '.repeat(10_000)}"`)],
  ['an escape without an end, after 10,000 characters', bytes(`[${' '.repeat(10_000)}"\\`)],
  ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ['an overlong encoding', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
  ['a lone surrogate as bytes', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ['a byte order mark', Buffer.from([0xef, 0xbb, 0xbf, 0x7b, 0x7d])],
];

test('JSON that parsers may read in different ways is refused', async (t) => {
  for (const [name, body] of REFUSED) {
    t.test(name, async (t) => {
      try {
        parseStrictJson(body);
        t.fail('accepted');
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        t.equal(error.code, 'invalid_request');
        t.notOk(error.message.includes('tts'), 'and reveals nothing of the body');
      }
    });
  }
});

test('JSON at the limits is accepted', async (t) => {
  t.ok(parseStrictJson(bytes(nested(20))));
  t.ok(parseStrictJson(bytes(wide(100))));
  t.ok(parseStrictJson(bytes(`[${'0,'.repeat(9_999)}0]`)));
  t.ok(parseStrictJson(bytes(`{"transcript":"${',{[\\"'.repeat(20_000)}"}`)), 'a string is a single value');
  t.strictSame(parseStrictJson(bytes(' {"a" : "b\\"}{", "c":{"a":[]},"\\\\":"\\\\"}\n')), {
    a: 'b"}{',
    c: { a: [] },
    '\\': '\\',
  });
  t.strictSame(parseStrictJson(bytes('{"a":1,"b":{"a":1},"c":[{"a":1},{"a":1}]}')), {
    a: 1,
    b: { a: 1 },
    c: [{ a: 1 }, { a: 1 }],
  });
  t.equal(parseStrictJson(bytes('"__proto__"')), '__proto__', 'as a value it is an ordinary string');
});

test('whatever JSON.stringify writes is read back, and nothing but a Problem is ever thrown', async (t) => {
  const plain = fc
    .jsonValue({ maxDepth: 6 })
    .filter((value) => !/"(__proto__|constructor)":/.test(JSON.stringify(value)));
  fc.assert(
    fc.property(plain, (value) => {
      const text = JSON.stringify(value);
      return JSON.stringify(parseStrictJson(bytes(text))) === text;
    }),
    { numRuns: 1000 },
  );
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 64 }), (body) => {
          try {
            parseStrictJson(Buffer.from(body));
          } catch (error) {
            if (!(error instanceof Problem)) throw error;
          }
        }),
        { numRuns: 2000 },
      ),
    '3000 bodies',
  );
});
