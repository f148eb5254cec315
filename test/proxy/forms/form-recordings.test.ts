import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'tap';
import { openForm } from '../../../src/proxy/forms/form-parser.ts';
import { measureRecordings, type SaidCoding } from '../../../src/proxy/forms/form-recordings.ts';
import { Upload } from '../../../src/proxy/upload.ts';

const TYPE = 'multipart/form-data; boundary=b';
const KIB = 1024;

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

const FORMAT = Buffer.from('fmt \x10\0\0\0\x01\0\x01\0\x80\x3e\0\0\0\0\0\0\x02\0\x10\0', 'latin1');

/** 32,000 bytes per second, header included. */
function wav(seconds: number, ...more: readonly Buffer[]): Buffer {
  const head = Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE'), FORMAT, ...more, Buffer.from('data\0\0\0\0')]);
  return Buffer.concat([head, Buffer.alloc(seconds * 32_000 - head.length)]);
}

/** A chunk that readers skip. */
function filler(bytes: number): Buffer {
  const chunk = Buffer.alloc(8 + bytes);
  chunk.write('FLLR', 0, 'latin1');
  chunk.writeUInt32LE(bytes, 4);
  return chunk;
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

test('a WAV header is believed only if it ends early: a second format may hide behind filler', async (t) => {
  const secondsBehind = (...more: readonly Buffer[]) => secondsOf(Buffer.concat([file(wav(3, ...more)), END]));
  t.equal(await secondsBehind(filler(4_044)), 3, "filled up to 4,096 bytes, as Apple's recorders do");
  t.equal(await secondsBehind(filler(8_000), FORMAT), 24, 'a second format');
  t.equal(await secondsBehind(filler(8_000)), 24, 'a header whose end is out of sight');
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
