// What a chunk of speech contains, read without JSON and never beyond its own end, since the next message follows it.
import { test } from 'tap';
import {
  audioBytes,
  contextOfChunk,
  isChunk,
  lengthOfData,
} from '../../../../src/proxy/websocket/protocols/audio-chunk.ts';

/** What is read of a message that lies between two others. */
function among(text: string) {
  const other = '{"type":"chunk","data":"AAAAAAAA","context_id":"other"}';
  const start = other.length;
  const end = start + Buffer.byteLength(text);
  const bytes = Buffer.from(other + text + other);
  return {
    isChunk: isChunk(bytes, start, end),
    bytes: audioBytes(bytes, start, end),
    context: contextOfChunk(bytes, start, end),
  };
}

test('audio and context come from the message itself', async (t) => {
  for (const [text, bytes, context] of [
    ['{"type":"chunk","data":"AAAA","context_id":"a"}', 3, 'a'],
    ['{"type":"chunk","context_id":"ä","done":false,"data":"AAA="}', 2, 'ä'],
    ['{"type":"chunk","data":"AA=="}', 1, null],
    ['{"type":"chunk","data":"","context_id":""}', 0, ''],
    ['{"type":"chunk","done":false}', 0, null],
    ['{"type":"chunk","data":"AAAA', 0, null],
    ['{"type":"chunk","data":"AAAA","context_id":"a', 3, null],
    ['{"type":"chunk","data":5,"context_id":6}', 0, null],
    ['{"type":"chunk","data":"AAAA","context_id":"\\u0061"}', 3, null],
  ] as const) {
    t.strictSame(among(text), { isChunk: true, bytes, context }, text);
  }
});

test('a last message with neither audio nor context yields neither', async (t) => {
  const bytes = Buffer.from('{"type":"chunk","done":false,"step":"one"}');
  t.equal(audioBytes(bytes, 0, bytes.length), 0);
  t.equal(contextOfChunk(bytes, 0, bytes.length), null);
});

test('only a message that begins as a chunk is one', async (t) => {
  for (const text of ['', '{"type":"chunk', '{"type":"done","data":"AAAA"}', '{"data":"AAAA","type":"chunk"}', '[]'])
    t.notOk(among(text).isChunk, text);
  t.ok(among('{"type":"chunk"').isChunk);
});

test('the audio length of a parsed message follows from its base64 data', async (t) => {
  for (const [data, bytes] of [
    ['AAAA', 3],
    ['AAA=', 2],
    ['AA==', 1],
    ['AAAAAA==', 4],
    ['AAAAA', 3],
    ['', 0],
    ['=', 0],
    [7, 0],
    [undefined, 0],
  ] as const) {
    t.equal(lengthOfData({ data }), bytes, JSON.stringify(data));
  }
});
