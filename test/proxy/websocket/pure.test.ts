// Parts of the sockets that need no connection: values in, values out.
import { test } from 'tap';
import { Problem } from '../../../src/errors/problems.ts';
import { passedClosing, readClose } from '../../../src/proxy/websocket/frames/close-code.ts';
import { Utf8Check } from '../../../src/proxy/websocket/frames/utf8-check.ts';
import { acceptOf } from '../../../src/proxy/websocket/opening/handshake.ts';
import {
  isAcceptance,
  openingRequest,
  readBody,
  readHead,
} from '../../../src/proxy/websocket/opening/upstream-handshake.ts';
import { checkLineStart, checkSessionCreate } from '../../../src/proxy/websocket/protocols/agent-rules.ts';
import { plainText, readFields } from '../../../src/proxy/websocket/protocols/message-fields.ts';
import { TtsContexts } from '../../../src/proxy/websocket/protocols/tts-contexts.ts';

test('the accept value matches the example in RFC 6455 §1.3', async (t) => {
  t.equal(acceptOf('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});

test('close payloads are read, and codes that concern only one connection do not pass', async (t) => {
  t.strictSame(readClose(Buffer.alloc(0)), { code: null, reason: '' });
  t.strictSame(readClose(Buffer.from([0x03, 0xe8, 0x61])), { code: 1000, reason: 'a' });
  t.equal(readClose(Buffer.from([0x03])), 1002);
  t.equal(readClose(Buffer.from([0x03, 0xe8, 0xff])), 1007);
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000])
    t.equal(readClose(Buffer.from([code >> 8, code & 255])), 1002, `${code}`);
  for (const code of [1000, 1001, 1008, 1009, 1011, 1012, 1013, 3000, 4999])
    t.equal(passedClosing({ code, reason: 'r' }).code, code);
  for (const code of [1002, 1003, 1007, 1010, 1014])
    t.strictSame(passedClosing({ code, reason: 'r' }), { code: 1011, reason: 'r' });
  t.equal(passedClosing({ code: null, reason: '' }).code, null);
});

test('UTF-8 is judged in pieces as in one piece', async (t) => {
  for (const text of ['aé世🎉\u0000z', 'é', '世', '🎉', 'aé', '🎉世', '']) {
    const good = Buffer.from(text);
    for (let size = 1; size <= good.length + 1; size += 1) {
      const check = new Utf8Check();
      for (let at = 0; at < good.length; at += size) t.ok(check.push(good.subarray(at, at + size)));
      t.ok(check.end(), `${text} in pieces of ${size}`);
    }
  }
  for (const bytes of [
    [0xc3, 0x28],
    [0xe2, 0x28, 0xa1],
    [0xf0, 0x9f, 0x41],
    [0xed, 0xa0, 0x80],
    [0xc0, 0xaf],
    [0xff],
    [0x80],
  ]) {
    const check = new Utf8Check();
    t.notOk(bytes.every((byte) => check.push(Buffer.from([byte]))) && check.end(), `${bytes}`);
  }
  const short = new Utf8Check();
  t.ok(short.push(Buffer.from([0xf0, 0x9f, 0x8e])));
  t.notOk(short.end(), 'half a character');
});

test('the opening request contains what it is given, and its answer is checked strictly', async (t) => {
  const { text, accept } = openingRequest('/tts/websocket?a=b', 'api.cartesia.ai', ['authorization', 'Bearer k']);
  t.match(text, /^GET \/tts\/websocket\?a=b HTTP\/1\.1\r\nHost: api\.cartesia\.ai\r\n/);
  t.match(text, /\r\nauthorization: Bearer k\r\n\r\n$/);
  t.notMatch(text, /extensions|protocol/i);
  t.not(openingRequest('/', 'api.cartesia.ai', []).accept, accept, 'each opening has a key of its own');
  const head = (more: string) =>
    readHead(`HTTP/1.1 101 Switching\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n${more}`);
  const good = head(`Sec-WebSocket-Accept: ${accept}`);
  t.ok(good !== null && isAcceptance(good, accept));
  for (const more of [
    'Sec-WebSocket-Accept: x',
    'X-Accept: x',
    `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: a`,
    `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate`,
    `Sec-WebSocket-Accept: ${accept}\r\nUpgrade: h2c`,
  ]) {
    const bad = head(more);
    t.ok(bad !== null && !isAcceptance(bad, accept), more);
  }
  for (const [status, upgrade] of [
    [200, 'Upgrade: websocket\r\nConnection: Upgrade'],
    [101, 'Connection: Upgrade'],
    [101, 'Upgrade: h2c\r\nConnection: Upgrade'],
    [101, 'Upgrade: websocket'],
    [101, 'Upgrade: websocket\r\nConnection: keep-alive'],
    [101, 'Upgrade: websocket\r\nConnection: no-upgrade'],
  ] as const) {
    const bad = readHead(`HTTP/1.1 ${status} X\r\n${upgrade}\r\nSec-WebSocket-Accept: ${accept}`);
    t.ok(bad !== null && !isAcceptance(bad, accept), `${status} ${upgrade}`);
  }
  for (const wrong of [
    'HTTP/1.0 101 X',
    'HTTP/1.1 999 X',
    'HTTP/1.1 1010',
    'HTTP/2 101',
    'HTTP/1.1 200 OK\r\n folded: a',
    'HTTP/1.1 200 OK\r\nA : b',
    'HTTP/1.1 200 OK\r\nA: b\x00',
    'HTTP/1.1 200 OK\r\nA: b\nB: c',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1',
    'HTTP/1.1 200 OK\r\nContent-Length: -1',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked',
  ])
    t.equal(readHead(wrong), null, JSON.stringify(wrong));
  for (const [status, fields, body] of [
    [200, 'Content-Length: 5', 5],
    [204, 'Content-Length: 5', 0],
    [304, 'Content-Length: 5', 0],
    [304, 'X: y', 0],
    [403, 'X: y', 'to_end'],
    [403, 'Transfer-Encoding: Chunked', 'chunked'],
  ] as const)
    t.equal(readHead(`HTTP/1.1 ${status} X\r\n${fields}`)?.body, body, `${status} ${fields}`);
});

test('error bodies are read by length, in chunks or to the end', async (t) => {
  t.equal(readBody(Buffer.from('abc'), 2, false), 'ab');
  t.equal(readBody(Buffer.from('a'), 2, false), null);
  t.equal(readBody(Buffer.from('a'), 2, true), 'a');
  t.equal(readBody(Buffer.from('a'), 'to_end', false), null);
  t.equal(readBody(Buffer.from('2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n'), 'chunked', false), 'abc');
  t.equal(readBody(Buffer.from('2\r\nab\r\n5\r\nc'), 'chunked', false), null);
  t.equal(readBody(Buffer.from('2\r\nab\r\n5\r\nc'), 'chunked', true), 'ab');
  t.equal(readBody(Buffer.from('2\r\nab\r\n1\r\nc'), 'chunked', true), 'abc', 'only the end of the chunk is missing');
  for (const size of ['zz', '2z', 'z2', '', '2 x', '0x2'])
    t.equal(readBody(Buffer.from(`${size}\r\nab\r\n`), 'chunked', true), '', size);
});

test('a field that the broker reads is refused in another spelling, at any depth; others are not', async (t) => {
  const known = new Set(['model_id', 'id', 'transcript', 'k']);
  const read = (text: string) => readFields(Buffer.from(text), known);
  t.strictSame(read('{"model_id":"a","Other":1,"own-id":{"X":1}}'), { model_id: 'a', Other: 1, 'own-id': { X: 1 } });
  for (const text of [
    '{"MODEL_ID":"a"}',
    '{"voice":{"Id":1}}',
    '{"a":[{"b":{"ID":1}}]}',
    '{"tran\u017fcript":"a"}',
    '{"\u212a":"a"}',
    '{"id":1,"id":2}',
    '{"id":1,"\\u0069d":2}',
    '[]',
    'null',
    '"id"',
    '{"__proto__":1}',
    '',
  ])
    t.throws(() => read(text), Problem, text);
});

test('items of a list are not fields: their indices are never looked up', async (t) => {
  let asked = 0;
  class Counting extends Set<string> {
    override has(name: string): boolean {
      asked += 1;
      return super.has(name);
    }
  }
  const known = new Counting(['id']);
  readFields(Buffer.from(JSON.stringify({ a: new Array(1000).fill(0), b: [[{ c: 1 }], 'd'] })), known);
  t.ok(asked <= 2 * 3, `asked ${asked} times for three names`);
  t.throws(() => readFields(Buffer.from('{"a":[0,[{"Id":1}]]}'), known), Problem);
});

test('a field of a refused message is reported only if it occurs once, as text', async (t) => {
  const told = (text: string) => plainText(Buffer.from(text), 'context_id');
  t.equal(told('{"model_id":1,"model_id":2,"context_id":"a"}'), 'a');
  t.equal(told('{"__proto__":1,"context_id":""}'), '');
  for (const text of [
    '{"context_id":"a","context_id":"b"}',
    '{"context_id":"a","voice":{"context_id":"b"}}',
    '{"voice":{"context_id":"b"}}',
    '{"Context_ID":"a"}',
    '{"context_id":1}',
    '["context_id"]',
    '"context_id"',
    '{"context_id":"a"',
    `{"context_id":"a","x":[${'0,'.repeat(10_000)}0]}`,
    '',
  ]) {
    t.equal(told(text), null, text);
  }
});

test("an agent's first message: whatever is not transport counts as an override", async (t) => {
  const none = new Set<string>();
  const start = { event: 'start', stream_id: 's', config: { input_format: 'pcm_16000' } };
  t.equal(checkLineStart(start, none), null);
  t.equal(checkLineStart({ ...start, config: { voice_id: 'v' } }, none), 'voice');
  t.equal(checkLineStart({ ...start, agent: { system_prompt: 'x' } }, none), 'system_prompt');
  t.equal(checkLineStart({ ...start, agent: { system_prompt: 'x' } }, new Set(['system_prompt'])), null);
  t.equal(checkLineStart({ ...start, agent: { introduction: 'x' } }, new Set(['system_prompt'])), 'introduction');
  t.equal(checkLineStart({ ...start, metadata: {} }, none), 'metadata');
  t.equal(checkLineStart({ ...start, agent: 'pirate' }, none), 'other');
  t.equal(checkLineStart({ ...start, agent: { toString: 1 } }, none), 'other');
  t.equal(checkSessionCreate({ type: 'session_create', audio: { input_format: 'x' } }, none), null);
  t.equal(checkSessionCreate({ type: 'session_create', dynamic_variables: {} }, none), 'dynamic_variables');
  t.equal(checkSessionCreate({ type: 'session_create', config_overrides: {} }, none), 'other');
  t.equal(checkSessionCreate({ type: 'session_create', audio: { input_format: 'x', voice: 'v' } }, none), 'other');
  t.equal(checkSessionCreate({ type: 'session_create', audio: 'pirate' }, none), 'other');
  t.equal(checkSessionCreate({ type: 'session_create', audio: null }, none), null);
});

test('contexts that fall silent are over; one in which upstream still speaks is not', async (t) => {
  const contexts = new TtsContexts();
  const first = contexts.begin('a', 1000);
  contexts.touch(first, 1000);
  t.equal(contexts.likeliest, first, 'the only one');
  const second = contexts.begin('b', 2000);
  contexts.touch(second, 2000);
  t.equal(contexts.likeliest, second, 'the last one');
  t.equal(contexts.only, null);
  t.strictSame(contexts.silent(61_500), [first], 'each by its own silence');
  first.activeAtMs = 30_000;
  t.strictSame(contexts.silent(61_500), []);
  first.isCancelled = true;
  t.strictSame(contexts.silent(35_001), [first], 'after a cancel nothing needs to come');
  second.held = [];
  t.strictSame(contexts.silent(900_000), [first], 'a context that waits for its turn is not silent');
  t.equal(contexts.named('c'), undefined);
  t.ok(contexts.end('b'));
  t.notOk(contexts.end('b'));
  t.equal(contexts.only, first);
  const nameless = contexts.begin('', 3000);
  t.equal(contexts.named('made by upstream'), nameless);
});
