import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'tap';
import { openForm } from '../../../src/proxy/forms/form-parser.ts';
import { measureRecordings, type SaidCoding } from '../../../src/proxy/forms/form-recordings.ts';
import { Upload } from '../../../src/proxy/upload.ts';

const TYPE = 'multipart/form-data; boundary=b';
const KIB = 1024;
const NOTHING = Buffer.alloc(0);

const part = (disposition: string, content: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`--b\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`),
    content,
    Buffer.from('\r\n'),
  ]);
const file = (content: Buffer, name = 'file'): Buffer => part(`name="${name}"; filename="a"`, content);
const END = Buffer.from('--b--\r\n');

function* piecesOf(bytes: Buffer, size: number): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** 32,000 bytes per second. @param behind what follows the format */
function wav(seconds: number, behind: Buffer = NOTHING): Buffer {
  const head = Buffer.concat([
    Buffer.from('RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\0\0\0\x02\0\x10\0', 'latin1'),
    behind,
    Buffer.from('data\0\0\0\0', 'latin1'),
  ]);
  return Buffer.concat([head, Buffer.alloc(seconds * 32_000 - head.length)]);
}

async function secondsOf(bytes: Buffer, said: SaidCoding | null = null, contentType = TYPE): Promise<number> {
  const form = await openForm(contentType);
  const recordings = measureRecordings(form, said);
  const upload = new Upload(bytes.length, [form, recordings]);
  await pipeline(Readable.from(piecesOf(bytes, 1_000), { objectMode: false }), upload.resume());
  return recordings.seconds;
}

test('a WAV file is as long as its header says; anything else is taken for compressed speech', async (t) => {
  t.equal(await secondsOf(Buffer.concat([file(wav(3)), END])), 3);
  t.equal(await secondsOf(Buffer.concat([file(randomBytes(40_000)), END])), 10, '32 kbit/s');
  t.equal(
    await secondsOf(Buffer.concat([file(randomBytes(40_000)), END]), { bytesPerSecond: 16_000 }),
    2.5,
    'or as the query says',
  );
});

test('a header that a recording begins with does not make it shorter than the request says', async (t) => {
  const recording = Buffer.concat([file(wav(3)), END]);
  t.equal(await secondsOf(recording, { bytesPerSecond: 32_000 }), 3, 'both say the same');
  t.equal(await secondsOf(recording, { bytesPerSecond: 8_000 }), 12);
  t.equal(await secondsOf(recording, { bytesPerSecond: 192_000 }), 3);
  t.equal(await secondsOf(recording, { bytesPerSecond: null }), 24, 'in a coding that nobody knows here');
});

test('a header counts only if it was seen up to the audio: readers disagree about which of two formats they take', async (t) => {
  const junk = (bytes: number): Buffer => {
    const chunk = Buffer.alloc(8 + bytes);
    chunk.write('JUNK', 'latin1');
    chunk.writeUInt32LE(bytes, 4);
    return chunk;
  };
  const said = wav(0.5, junk(3_000));
  t.equal(await secondsOf(Buffer.concat([file(said), END])), 0.5, 'what its maker says about it');
  const slower = Buffer.from('fmt \x10\0\0\0\x07\0\x01\0\x40\x1f\0\0\0\0\0\0\x01\0\x08\0', 'latin1');
  const two = wav(0.5, Buffer.concat([junk(5_000), slower]));
  t.equal(await secondsOf(Buffer.concat([file(two), END])), 4, 'a second format far behind the first');
});

test('no part of a form is free', async (t) => {
  t.equal(await secondsOf(Buffer.concat([file(wav(1), 'other'), file(randomBytes(40_000)), END])), 11, 'two files');
  const asField = part('name="file"', randomBytes(416 * KIB));
  t.ok((await secondsOf(Buffer.concat([asField, END]))) > 100, 'a file that claims to be a field');
  t.ok(
    (await secondsOf(Buffer.concat([file(wav(1)), END, randomBytes(416 * KIB)]))) > 100,
    'data that follows its end',
  );
});

test('a form that cannot be parsed counts by its bytes', async (t) => {
  const bytes = randomBytes(56 * KIB);
  for (const type of ['multipart/form-data', 'multipart/form-data; boundary=a; boundary=b', TYPE])
    t.equal(await secondsOf(bytes, null, type), (40 * KIB) / 4_000, type);
});

test('a form with too many parts counts by its bytes, and none of its parts is kept', async (t) => {
  const bytes = Buffer.concat([...Array.from({ length: 300 }, () => file(Buffer.alloc(4_000))), END]);
  t.equal(await secondsOf(bytes, { bytesPerSecond: 1 }), (bytes.length - 16 * KIB) / 4_000, 'whatever the query says');
});
