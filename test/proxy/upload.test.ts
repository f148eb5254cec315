import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { type FormWatch, Upload } from '../../src/proxy/upload.ts';

/** Everything that left the upload before it ended or failed. */
async function passed(upload: Upload, pieces: readonly Buffer[]): Promise<{ bytes: Buffer; error: unknown }> {
  const out: Buffer[] = [];
  upload.on('data', (chunk: Buffer) => out.push(chunk));
  try {
    await pipeline(Readable.from(pieces, { objectMode: false }), upload);
    return { bytes: Buffer.concat(out), error: null };
  } catch (error) {
    return { bytes: Buffer.concat(out), error };
  }
}

const watch = (parts: Partial<FormWatch>): FormWatch => ({ write: () => {}, end: async () => {}, ...parts });

test('a form passes byte for byte, however it arrives', async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 20 }), async (list) => {
        const pieces = list.map((piece) => Buffer.from(piece));
        const { bytes, error } = await passed(new Upload(10_000, []), pieces);
        if (error !== null || !bytes.equals(Buffer.concat(pieces))) throw new Error('changed');
      }),
      { numRuns: 100 },
    ),
    '100 forms',
  );
});

test('the newest piece waits for the next one, or for the end', async (t) => {
  const upload = new Upload(100, []);
  const out: string[] = [];
  upload.on('data', (chunk: Buffer) => out.push(chunk.toString()));
  upload.write('a');
  upload.write('b');
  upload.write('c');
  await new Promise(setImmediate);
  t.strictSame(out, ['a', 'b']);
  upload.end();
  await once(upload, 'end');
  t.strictSame(out, ['a', 'b', 'c']);
});

test('a form over its limit is refused and never complete upstream', async (t) => {
  const pieces = [Buffer.alloc(60), Buffer.alloc(40)];
  const fits = await passed(new Upload(100, []), pieces);
  t.equal(fits.error, null);
  t.equal(fits.bytes.length, 100);
  const over = await passed(new Upload(99, []), pieces);
  t.match(over.error, { code: 'payload_too_large' });
  t.equal(over.bytes.length, 0, 'what was held when the limit was exceeded stays here');
});

test('a form that the watch refuses on the way or at the end is never complete upstream', async (t) => {
  const pieces = ['one', 'two', 'three'].map((text) => Buffer.from(text));
  const refusal = new Problem('content_not_allowed');
  const onTheWay = await passed(
    new Upload(100, [
      watch({
        write(chunk) {
          if (chunk.includes('three')) throw refusal;
        },
      }),
    ]),
    pieces,
  );
  t.equal(onTheWay.error, refusal);
  t.equal(onTheWay.bytes.toString(), 'one');
  const atTheEnd = await passed(
    new Upload(100, [
      watch({
        async end() {
          throw refusal;
        },
      }),
    ]),
    pieces,
  );
  t.equal(atTheEnd.error, refusal);
  t.equal(atTheEnd.bytes.toString(), 'onetwo', 'without its last piece');
});

test('a refused form of one piece has sent nothing', async (t) => {
  const refusal = new Problem('content_not_allowed');
  const { bytes, error } = await passed(
    new Upload(100, [
      watch({
        async end() {
          throw refusal;
        },
      }),
    ]),
    [Buffer.from('whole form')],
  );
  t.equal(error, refusal);
  t.equal(bytes.length, 0);
});

test('the watch sees every byte, once, before it passes', async (t) => {
  const seen: string[] = [];
  let isEnded = false;
  const { bytes } = await passed(
    new Upload(100, [
      watch({
        write: (chunk) => void seen.push(chunk.toString()),
        async end() {
          isEnded = true;
        },
      }),
    ]),
    [Buffer.from('a'), Buffer.from('b')],
  );
  t.strictSame(seen, ['a', 'b']);
  t.ok(isEnded);
  t.equal(bytes.toString(), 'ab');
});

test('an empty form stays empty', async (t) => {
  t.strictSame(await passed(new Upload(0, []), []), { bytes: Buffer.alloc(0), error: null });
});
