// How chunks lie behind one another, and who may write where they lie.
import { test } from 'tap';
import { ChunkPlace } from '../../src/proxy/chunk-place.ts';

test('chunks are as HTTP/1.1 wants them, and one of no bytes is the last', (t) => {
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

test('a whole read of upstream finds room, and what is too much is told', (t) => {
  const place = new ChunkPlace();
  const data = Buffer.alloc(3200, 'x');
  let chunks = 0;
  for (; place.hasRoomFor(data.length); chunks += 1) place.append(data);
  t.equal(chunks, Math.floor(66_560 / 3207));
  t.equal(place.bytes.length, chunks * 3207);
  t.equal(place.hasRoomFor(66_560 - chunks * 3207 - 12), true, 'its size and two line ends have room, too');
  t.equal(place.hasRoomFor(66_560 - chunks * 3207 - 11), false);
  t.end();
});

test('who has not given its place back keeps it', (t) => {
  const [first, second] = [new ChunkPlace(), new ChunkPlace()];
  first.append(Buffer.from('first'));
  second.append(Buffer.from('second'));
  t.equal(first.bytes.toString(), '5\r\nfirst\r\n');
  t.equal(second.bytes.toString(), '6\r\nsecond\r\n');
  const { buffer } = second.bytes;
  second.release();
  const third = new ChunkPlace();
  t.equal(third.bytes.length, 0, 'nothing is left of what was there');
  t.equal(third.bytes.buffer, buffer, 'given back, it is used again');
  t.end();
});
