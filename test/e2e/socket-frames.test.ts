// RFC 6455, followed strictly against a client that does not follow it.
import { once } from 'node:events';
import { test } from 'tap';
import { closeFrameOf, frameOf, openRawSocket } from './raw-socket.ts';
import { STT_PATH, speech, startSocketBroker } from './socket-broker.ts';

const VIOLATIONS: readonly [string, readonly Buffer[], number][] = [
  ['an unmasked frame', [frameOf(1, 'a', { isMasked: false })], 1002],
  ['an unmasked ping', [frameOf(9, '', { isMasked: false })], 1002],
  ['the first reserved bit: a compressed frame, not negotiated', [frameOf(1, 'a', { reserved: 4 })], 1002],
  ['the second reserved bit', [frameOf(1, 'a', { reserved: 2 })], 1002],
  ['the third reserved bit', [frameOf(2, 'a', { reserved: 1 })], 1002],
  ['opcode 3', [frameOf(3, 'a')], 1002],
  ['opcode 7', [frameOf(7)], 1002],
  ['opcode 11', [frameOf(11)], 1002],
  ['opcode 15', [frameOf(15)], 1002],
  ['a fragmented ping', [frameOf(9, 'a', { isFinal: false })], 1002],
  ['a fragmented close', [frameOf(8, '', { isFinal: false })], 1002],
  ['a ping of 126 bytes', [frameOf(9, 'a'.repeat(126))], 1002],
  ['a continuation of nothing', [frameOf(0, 'a')], 1002],
  ['a message inside a message', [frameOf(1, 'a', { isFinal: false }), frameOf(1, 'b')], 1002],
  ['binary inside text', [frameOf(1, 'a', { isFinal: false }), frameOf(2, 'b')], 1002],
  ['a short length in two bytes', [frameOf(1, 'a', { lengthBytes: 2 })], 1002],
  ['a short length in eight bytes', [frameOf(1, 'a', { lengthBytes: 8 })], 1002],
  ['a length with the highest bit set', [Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4])], 1002],
  ['text that is not UTF-8', [frameOf(1, Buffer.from([0xc3, 0x28]))], 1007],
  ['text with half a character at its end', [frameOf(1, Buffer.from([0x61, 0xe2, 0x82]))], 1007],
  ['a surrogate in UTF-8', [frameOf(1, Buffer.from([0xed, 0xa0, 0x80]))], 1007],
  [
    'text over two frames that is not UTF-8',
    [frameOf(1, Buffer.from([0xe2, 0x82]), { isFinal: false }), frameOf(0, Buffer.from([0x41]))],
    1007,
  ],
  ['a close frame of one byte', [frameOf(8, 'a')], 1002],
  ['a close reason that is not UTF-8', [frameOf(8, Buffer.from([0x03, 0xe8, 0xff]))], 1007],
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map((code): [string, Buffer[], number] => [
    `close code ${code}`,
    [closeFrameOf(code)],
    1002,
  ]),
  ['text of 256 KB and one byte', [frameOf(1, '', { length: 256 * 1024 + 1 })], 1009],
  ['text of four exabytes', [Buffer.from([0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])], 1009],
  ['audio of more than a megabyte', [frameOf(2, '', { length: 1024 * 1024 + 1 })], 1009],
  [
    'text that grows too long over its frames',
    [frameOf(1, 'a'.repeat(200_000), { isFinal: false }), frameOf(0, 'a'.repeat(200_000))],
    1009,
  ],
  [
    'too many fragments',
    [frameOf(1, 'a', { isFinal: false }), ...Array.from({ length: 200 }, () => frameOf(0, 'a', { isFinal: false }))],
    1008,
  ],
];

test('a client that breaks the protocol gets the matching close code, and upstream is released', async (t) => {
  const { broker, simulator, headers } = await startSocketBroker(t, { simulator: { plan: 'scale' } });
  for (const path of ['/tts/websocket', STT_PATH]) {
    for (const [name, frames, code] of VIOLATIONS) {
      await t.test(`${name}, on ${path.split('?')[0]}`, async (t) => {
        const socket = await openRawSocket(t, broker.url, path, headers);
        socket.send(...frames);
        t.equal((await socket.closing()).code, code);
        socket.send(closeFrameOf(code));
        await socket.ended();
      });
    }
  }
  for (const { path, outcome, id } of simulator.journal.entries()) {
    if (outcome === 'open')
      await simulator.journal.waitFor({ path }, (entry) => entry.id === id && entry.outcome !== 'open');
  }
  t.equal(simulator.counters().ttsSockets.active, 0);
  t.equal(simulator.counters().stt.active, 0);
});

test('a client that breaks the protocol and goes on sending learns why, and is not reset', async (t) => {
  const { broker, headers } = await startSocketBroker(t);
  for (const [name, frame, code, errorCode] of [
    ['a message that is too long', frameOf(1, '', { length: 2 * 1024 * 1024 }), 1009, 'payload_too_large'],
    ['text that is not UTF-8', frameOf(1, Buffer.from([0xc3, 0x28])), 1007, 'invalid_request'],
    ['a reserved bit', frameOf(1, 'a', { reserved: 4 }), 1002, 'invalid_request'],
  ] as const) {
    await t.test(name, async (t) => {
      const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
      let fault: Error | null = null;
      socket.socket.on('error', (error) => {
        fault = error;
      });
      socket.send(frame);
      const event = await socket.event();
      t.match(event, { type: 'error', done: true, error_code: errorCode }, 'its first message was never read');
      t.notOk('context_id' in event);
      t.equal((await socket.closing()).code, code);
      for (let piece = 0; piece < 8; piece += 1) {
        await new Promise((sent) => socket.socket.write(Buffer.alloc(64 * 1024, 0xff), sent));
      }
      const closed = once(socket.socket, 'close');
      socket.socket.end();
      t.strictSame([await closed, fault], [[false], null], 'no reset');
    });
  }
});

test('close codes of a client are passed on, or become 1011', async (t) => {
  const { broker, simulator, headers } = await startSocketBroker(t);
  for (const [code, upstream] of [
    [1000, 1000],
    [1001, 1001],
    [1008, 1008],
    [1009, 1009],
    [1011, 1011],
    [1012, 1012],
    [1013, 1013],
    [3000, 3000],
    [4999, 4999],
    [1002, 1011],
    [1003, 1011],
    [1007, 1011],
    [1010, 1011],
    [1014, 1011],
  ] as const) {
    simulator.journal.clear();
    const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
    socket.send(closeFrameOf(code, 'bye'));
    t.strictSame(await socket.closing(), { code, reason: 'bye' }, `${code} is answered with itself`);
    await socket.ended();
    const entry = await simulator.journal.waitFor({ path: '/tts/websocket' });
    const closing = entry.frames.find(({ from, kind }) => from === 'client' && kind === 'close');
    t.match(closing, { code: upstream, text: 'bye' }, `${code} upstream`);
  }
});

test('close codes and reasons of upstream are passed on, or become 1011', async (t) => {
  const { broker, simulator, headers } = await startSocketBroker(t);
  for (const [code, expected] of [
    [1000, 1000],
    [1001, 1001],
    [1008, 1008],
    [1009, 1009],
    [1011, 1011],
    [1012, 1012],
    [1013, 1013],
    [3000, 3000],
    [4999, 4999],
    [1002, 1011],
    [1003, 1011],
    [1007, 1011],
  ] as const) {
    simulator.faults.add({ match: {}, times: 1, action: { type: 'close_socket', code, reason: 'later' } });
    const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
    t.strictSame(await socket.closing(), { code: expected, reason: 'later' }, `${code}`);
    socket.send(closeFrameOf(expected));
    await socket.ended();
  }
});

test('frames lose nothing on the way: split anywhere, fragmented, with pings between them', async (t) => {
  const { broker, simulator, headers } = await startSocketBroker(t);
  const message = Buffer.from(speech('a', 'Grüße, 世界 🎉.'), 'utf8');
  const fragments = [
    frameOf(1, message.subarray(0, 40), { isFinal: false }),
    frameOf(9, 'one'),
    frameOf(0, message.subarray(40, 41), { isFinal: false }),
    frameOf(0, '', { isFinal: false }),
    frameOf(0, message.subarray(41)),
  ];
  const bytes = Buffer.concat(fragments);
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  for (const byte of bytes) socket.send(Buffer.from([byte]));
  const pong = await socket.frame();
  t.equal(pong.opcode, 10);
  t.equal(pong.payload.toString(), 'one');
  for (let event = await socket.event(); event['type'] !== 'done'; event = await socket.event()) {
    t.equal(event['type'], 'chunk');
  }
  const [entry] = simulator.journal.entries({ path: '/tts/websocket' });
  const texts = entry?.frames.filter(({ from, kind }) => from === 'client' && kind === 'text');
  t.strictSame(
    texts?.map(({ text }) => text),
    [message.toString('utf8')],
  );
});

test('compression and subprotocols that a client offers are declined, and not asked of upstream', async (t) => {
  const { broker, simulator, headers } = await startSocketBroker(t);
  const offers = {
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
    'Sec-WebSocket-Protocol': 'chat, voice',
  };
  const { head } = await openRawSocket(t, broker.url, '/tts/websocket', { ...headers, ...offers });
  t.notMatch(head, /extensions|protocol:/);
  t.match(head, 'sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=');
  const [entry] = simulator.journal.entries();
  t.notHas(entry?.headers, { 'sec-websocket-extensions': /./ });
  t.notHas(entry?.headers, { 'sec-websocket-protocol': /./ });
});

test('data right after the handshake is delivered once upstream is connected', async (t) => {
  const { broker, headers } = await startSocketBroker(t);
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers, frameOf(1, speech('early', 'Early.')));
  t.match(await socket.event(), { type: 'chunk', context_id: 'early' });
});
