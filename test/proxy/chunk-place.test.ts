// How chunks are laid out in the shared buffer, and who may write to it.
import { test } from 'tap';
import { ChunkPlace } from '../../src/proxy/chunk-place.ts';

test('chunks are framed as HTTP/1.1 requires, and an empty one is the last', (t) => {
  for (const length of [1, 15, 16, 255, 256, 4095, 4096, 65_535, 65_536]) {
    const place = new ChunkPlace();
    const data = Buffer.alloc(length, 'speech ');
    place.append(data);
    place.append(Buffer.alloc(0));
    t.equal(place.bytes.toString(), `${length.toString(16)}\r\n${data}\r\n0\r\n\r\n`, `${length} bytes`);
    place.release();
  }
  t.end();
});

test('a full read from upstream fits, and a chunk too many is noticed', (t) => {
  const place = new ChunkPlace();
  const data = Buffer.alloc(3200, 'x');
  let chunks = 0;
  for (; place.hasRoomFor(data.length); chunks += 1) place.append(data);
  t.equal(chunks, Math.floor(66_560 / 3207));
  t.equal(place.bytes.length, chunks * 3207);
  t.equal(place.hasRoomFor(66_560 - chunks * 3207 - 12), true, 'its size and two line ends also have room');
  t.equal(place.hasRoomFor(66_560 - chunks * 3207 - 11), false);
  t.end();
});

test('a buffer that was not released stays with its owner', (t) => {
  const [first, second] = [new ChunkPlace(), new ChunkPlace()];
  first.append(Buffer.from('first'));
  second.append(Buffer.from('second'));
  t.equal(first.bytes.toString(), '5\r\nfirst\r\n');
  t.equal(second.bytes.toString(), '6\r\nsecond\r\n');
  const { buffer } = second.bytes;
  second.release();
  const third = new ChunkPlace();
  t.equal(third.bytes.length, 0, 'nothing is left of earlier content');
  t.equal(third.bytes.buffer, buffer, 'once released, it is reused');
  t.end();
});
