// One client that sends more than the broker can take: all others still get their turn.
import { once } from 'node:events';
import { test } from 'tap';
import { frameOf, openRawSocket } from './raw-socket.ts';
import { STT_PATH, startSocketBroker } from './socket-broker.ts';

const COUNT = 30_000;

/** Counts the turns of the event loop. */
function countTurns(): { readonly count: number; stop(): void } {
  const turns = { count: 0, stop: () => clearImmediate(next) };
  const tick = (): void => {
    turns.count += 1;
    next = setImmediate(tick);
  };
  let next = setImmediate(tick);
  return turns;
}

test('thousands of frames are handled a few per turn of the event loop, and all of them in the end', async (t) => {
  const { broker, headers } = await startSocketBroker(t);
  const token = frameOf(9, 'the last');
  for (const [name, path, frame, answered] of [
    ['pings', '/tts/websocket', frameOf(9), 2],
    ['messages that are refused', '/tts/websocket', frameOf(1), 100],
    ['audio where none is accepted', '/tts/websocket', frameOf(2), 100],
    ['audio in crumbs', STT_PATH, frameOf(2, 'a'), 0],
  ] as const) {
    const socket = await openRawSocket(t, broker.url, path, headers);
    socket.socket.removeAllListeners('data');
    let bytes = 0;
    let tail = Buffer.alloc(0);
    socket.socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      tail = Buffer.concat([tail, chunk]).subarray(-10);
    });
    const turns = countTurns();
    socket.socket.write(Buffer.concat([...Array.from({ length: COUNT }, () => frame), token]));
    while (!tail.equals(Buffer.from('\x8a\x08the last', 'latin1'))) await once(socket.socket, 'data');
    turns.stop();
    t.ok(turns.count > COUNT / 100, `${name}: ${turns.count} turns`);
    t.ok(bytes >= COUNT * answered, `${name}: ${bytes} bytes`);
    socket.socket.destroy();
  }
});
