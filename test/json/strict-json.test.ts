import fc from 'fast-check';
import { test } from 'tap';
import { readJsonObject } from '../../src/json/strict-json.ts';

const parse = (text: string) => readJsonObject(Buffer.from(text));

test('an object is parsed as by JSON.parse', async (t) => {
  const texts = [
    '{}',
    ' { "a" : 1 } ',
    '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
    '{"a:b":":","c\\":\\\\":"}{]["}',
    '{"é":"\\u0000\\ud83d\\ude00"}',
    `${'{"a":'.repeat(19)}{}${'}'.repeat(19)}`,
    `{"a":[${'{"b":[1]},'.repeat(30)}{}]}`,
  ];
  for (const text of texts) t.strictSame(parse(text), JSON.parse(text), text.slice(0, 40));
});

test('a repeated member name is refused, however it is written and at any depth', async (t) => {
  const texts = [
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"x":{"b":[{"a":1,"c":2,"a":3}]}}',
    '{"__proto_":1,"__proto_":2}',
    '{"":1,"":2}',
    '{"a":{},"a":{"b":1}}',
  ];
  for (const text of texts) t.equal(parse(text), null, text);
});

test('anything but a JSON object is refused', async (t) => {
  for (const text of [
    '',
    '{',
    '{} x',
    '[]',
    'null',
    '"a"',
    '1',
    'true',
    '{a:1}',
    "{'a':1}",
    '{"a":1,}',
    '\ufeff{}',
    '{"a":NaN}',
    '{"__proto__":{"x":1}}',
    '{"a":{"constructor":2}}',
  ]) {
    t.equal(parse(text), null, text);
  }
  t.equal(parse(`${'{"a":'.repeat(20)}{}${'}'.repeat(20)}`), null, '21 levels');
  t.equal(parse(`{"a":${'[1, '.repeat(20)}1${']'.repeat(20)}}`), null, '21 levels with a sibling on each');
  t.equal(parse(`{"a":${'['.repeat(4_000)}${']'.repeat(4_000)}}`), null, '4000 levels');
  t.equal(readJsonObject(Buffer.from('{"a":"\xff"}', 'latin1')), null, 'invalid UTF-8');
  t.equal(
    readJsonObject(Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d])),
    null,
    'a lone surrogate',
  );
});

test('every object is parsed, and none with a repeated member', async () => {
  const object = fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 5, stringUnit: 'grapheme' }));
  const name = fc.string({ unit: 'grapheme' });
  fc.assert(
    fc.property(object, name, fc.jsonValue({ maxDepth: 3 }), fc.nat(3), (value, repeated, inner, indent) => {
      const text = JSON.stringify(value, null, indent);
      fc.pre(!/__proto__|constructor/.test(text + repeated + JSON.stringify(inner)));
      if (JSON.stringify(parse(text)) !== JSON.stringify(JSON.parse(text))) return false;
      const twice = `{${JSON.stringify(repeated)}:1,"z":${text},${JSON.stringify(repeated)}:${JSON.stringify(inner)}}`;
      return repeated === 'z' || parse(twice) === null;
    }),
  );
});
