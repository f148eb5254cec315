// Framed chunks are passed on without a copy, in the buffer they were read into; a chunk that a receiver still holds must never change.
import fc from 'fast-check';
import { type Test, test } from 'tap';
import { OWN_BYTES } from '../../src/upstream/http1/read-place.ts';
import type { BodyForm } from '../../src/upstream/transport.ts';
import { startRawUpstream } from './raw-upstream.ts';
import { ask, type Hearing, transportTo } from './transport-under-test.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
const END = '0\r\n\r\n';

function framed(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** The upstream sends each piece once the previous one has been received, so that every piece is a separate read. */
async function askInPieces(t: Test) {
  let next = (): void => {};
  const upstream = await startRawUpstream(({ socket }) => {
    socket.setNoDelay(true).write(HEAD);
    next = () => void socket.write(pieces.shift() ?? '');
    next();
  });
  let pieces: string[] = [];
  const transport = transportTo('native', upstream.url, { connections: 1 });
  t.teardown(async () => {
    await transport.close();
    await upstream.close();
  });
  return {
    upstream,
    ask: (
      texts: readonly string[],
      onData: (chunk: Buffer) => boolean,
      form: BodyForm = 'framed',
    ): Promise<Hearing> => {
      pieces = [...texts.map(framed), END];
      const heard = (chunk: Buffer): boolean => {
        const isHeld = onData(chunk);
        if (pieces.length > 0) setImmediate(next);
        return isHeld;
      };
      return ask(transport, { form, onData: heard }).over;
    },
  };
}

const TEXTS = Array.from({ length: 12 }, (_, at) => `${at} `.repeat(400));

test('a buffer that nobody holds any more is reused for the next read', async (t) => {
  const { ask: askFor } = await askInPieces(t);
  const places: ArrayBufferLike[] = [];
  const { body } = await askFor(TEXTS, ({ buffer }) => {
    places.push(buffer);
    return false;
  });
  t.equal(body.toString('latin1'), TEXTS.map(framed).join('') + END);
  const later = places.slice(1); // the first may have come with the head, in the buffer that all connections read into
  t.equal(new Set(later).size, 1, 'all later chunks used one buffer');
  t.equal(later[0]?.byteLength, OWN_BYTES);
});

test('a chunk still held never changes, and the rest of that response is copied', async (t) => {
  const { ask: askFor } = await askInPieces(t);
  const chunks: Buffer[] = [];
  await askFor(TEXTS, (chunk) => chunks.push(chunk) === 5);
  t.match(chunks[4]?.toString('latin1'), TEXTS[4]);
  const kept = chunks[4]?.buffer;
  t.notOk(chunks.slice(5).some(({ buffer }) => buffer === kept));
  t.notOk(chunks.slice(5).some(({ buffer }) => buffer.byteLength === OWN_BYTES));
  for (const [at, chunk] of chunks.slice(5, -1).entries()) t.match(chunk.toString('latin1'), TEXTS[at + 5]);
});

test('chunks are copied after a large read, and lent again once small reads return', async (t) => {
  const { ask: askFor } = await askInPieces(t);
  const large = 'x'.repeat(3 * OWN_BYTES);
  const isLent: boolean[] = [];
  const texts = ['a', 'b', 'c', large, 'd', 'e'];
  const { body } = await askFor(texts, ({ length, buffer, byteOffset }) => {
    if (length < OWN_BYTES) isLent.push(byteOffset === 0 && buffer.byteLength === OWN_BYTES);
    return false;
  });
  t.equal(body.toString('latin1'), texts.map(framed).join('') + END);
  t.strictSame(isLent.slice(1, 3), [true, true]);
  t.equal(isLent.at(-1), true);
});

test('what is not passed on as it stands is never lent, nor behind an answer that was', async (t) => {
  const { upstream, ask: askFor } = await askInPieces(t);
  for (const isFirst of [true, false]) {
    const chunks: Buffer[] = [];
    const keep = (chunk: Buffer): boolean => {
      chunks.push(chunk);
      return false;
    };
    await askFor(TEXTS, keep, 'data');
    t.strictSame(
      chunks.map((chunk) => chunk.toString('latin1')),
      TEXTS,
      isFirst ? 'first' : 'behind one that was lent',
    );
    if (isFirst) await askFor(TEXTS, () => false);
  }
  t.equal(upstream.connections, 1);
});

test('held chunks of successive responses keep the bytes that were sent', async (t) => {
  const { upstream, ask: askFor } = await askInPieces(t);
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 40_000 });
  const said = fc.array(fc.record({ text, isHeld: fc.boolean() }), { minLength: 1, maxLength: 12 });
  const held: { readonly chunk: Buffer; readonly copy: Buffer }[] = [];
  await fc.assert(
    fc.asyncProperty(said, async (pieces) => {
      let at = 0;
      const { failure } = await askFor(
        pieces.map((piece) => piece.text),
        (chunk) => {
          const isHeld = pieces[at]?.isHeld ?? false;
          at += 1;
          if (isHeld) held.push({ chunk, copy: Buffer.from(chunk) });
          return isHeld;
        },
      );
      return failure === null && held.every(({ chunk, copy }) => chunk.equals(copy));
    }),
    { numRuns: 100 },
  );
  t.ok(held.length > 100);
  t.equal(upstream.connections, 1);
});
