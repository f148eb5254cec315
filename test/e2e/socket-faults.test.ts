// What upstream and a client can do wrong on a WebSocket: each side is told and ended, and nothing is left behind.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'tap';
import { makeCloseFrame, makeFrame, makeTextFrame, OPCODE } from '../../src/proxy/websocket/frames/frame.ts';
import { acceptOf } from '../../src/proxy/websocket/opening/handshake.ts';
import { closeFrameOf, frameOf, openRawSocket } from './raw-socket.ts';
import { logged, STT_PATH, speech, startSocketBroker } from './socket-broker.ts';
import { startRawUpstream, switching } from './socket-upstream.ts';

test('an upstream that does not open the socket properly: an error status, and the client never sees a 101', async (t) => {
  const refusals: readonly [string, (accept: string) => string, number][] = [
    ['another protocol', () => 'SSH-2.0-OpenSSH_9\r\n\r\n', 502],
    ['another protocol, without an empty line', () => 'SSH-2.0-OpenSSH_9\r\n', 502],
    ['lines that end in line feeds', (accept) => switching(accept).replaceAll('\r\n', '\n'), 502],
    ['a bad status line', () => 'HTTP/1.1 101\x00\r\n\r\n', 502],
    ['a wrong accept', () => switching(acceptOf('x')), 502],
    ['no accept', () => 'HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n', 502],
    ['no upgrade', (accept) => `HTTP/1.1 101 X\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`, 502],
    ['another upgrade', (accept) => switching(accept).replace('websocket', 'h2c'), 502],
    ['an extension', (accept) => switching(accept, 'Sec-WebSocket-Extensions: permessage-deflate\r\n'), 502],
    ['a subprotocol', (accept) => switching(accept, 'Sec-WebSocket-Protocol: chat\r\n'), 502],
    ['two accepts', (accept) => switching(accept, `Sec-WebSocket-Accept: ${accept}\r\n`), 502],
    ['a folded header', (accept) => switching(accept, 'X-A: b\r\n c\r\n'), 502],
    ['a bare line feed', (accept) => switching(accept).replace('Upgrade: websocket\r\n', 'Upgrade: websocket\n'), 502],
    [
      'a field of very many blanks and then a NUL byte',
      (accept) => switching(accept, `X-A:${' '.repeat(16_000)}\0\r\n`),
      502,
    ],
    ['a head of 20 kB', (accept) => switching(accept, `X-A: ${'a'.repeat(20_000)}\r\n`), 502],
    ['an endless head', () => 'HTTP/1.1 101 X\r\n'.padEnd(40_000, 'X-A: b\r\n'), 502],
    ['200', () => 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 502],
    ['204, which has no body', () => 'HTTP/1.1 204 No Content\r\n\r\n', 502],
    ['304, which has no body', () => 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', 502],
    ['a refusal after early hints', () => 'HTTP/1.1 103 X\r\n\r\nHTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n', 503],
    ['a redirect', () => 'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n', 502],
    ['401', () => 'HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n', 502],
    ['two lengths', () => 'HTTP/1.1 503 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 502],
    [
      'a length and chunks',
      () => 'HTTP/1.1 503 X\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      502,
    ],
    ['500 of a gateway', () => 'HTTP/1.1 500 X\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>', 500],
    [
      '429 in chunks',
      () => 'HTTP/1.1 429 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nToo \r\n5;a=b\r\nmany.\r\n0\r\n\r\n',
      429,
    ],
    ['503 without a length', () => 'HTTP/1.1 503 X\r\nRetry-After: 900\r\n\r\nBusy: later', 503],
    ['a refusal that never says how long it is', () => 'HTTP/1.1 429 X\r\n\r\n{"title":"Too many"', 429],
    ['chunks that do not come', () => 'HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nNo', 500],
    ['a refusal that is reset', () => 'HTTP/1.1 503 X\r\nContent-Length: 9\r\nX-A: reset\r\n\r\nBusy', 503],
    ['nothing but an end', () => '', 502],
  ];
  let next: (accept: string) => string = () => '';
  const url = await startRawUpstream(t, (socket, accept) => {
    const text = next(accept);
    if (text.includes('503 X\r\nRetry') || text === '') socket.end(text);
    else
      socket.write(text, 'latin1', () => text.includes('X-A: reset') && setTimeout(() => socket.resetAndDestroy(), 50));
  });
  const running = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  for (const [name, answer, status] of refusals) {
    await t.test(name, async (t) => {
      next = answer;
      const start = performance.now();
      await t.rejects(
        openRawSocket(t, running.broker.url, '/tts/websocket', running.headers),
        new RegExp(`HTTP/1.1 ${status} `),
      );
      t.ok(performance.now() - start < 1500, 'at once');
    });
  }
  await t.rejects(openRawSocket(t, running.broker.url, '/tts/websocket', running.headers), /"source":"broker"/);
  next = () => 'HTTP/1.1 503 X\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nBusy!';
  const compressed = openRawSocket(t, running.broker.url, '/tts/websocket', running.headers);
  const answer = await compressed.catch(String);
  t.match(answer, /HTTP\/1.1 503 /);
  t.notMatch(answer, /Busy!/, 'a compressed body is not shown');
});

test('interim answers before the 101 are skipped, whole or in pieces', async (t) => {
  const interim = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
  const url = await startRawUpstream(t, (socket, accept) => {
    const bytes = Buffer.concat([Buffer.from(interim + switching(accept)), Buffer.from([0x81, 2, 0x7b, 0x7d])]);
    socket.write(bytes.subarray(0, 30));
    setTimeout(() => socket.write(bytes.subarray(30)), 30);
  });
  const running = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  const socket = await openRawSocket(t, running.broker.url, '/tts/websocket', running.headers);
  t.strictSame(await socket.event(), {}, 'and what follows them arrives');
});

test('an upstream that refuses, resets, answers otherwise or is down: the client gets the matching status', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t);
  const open = () => openRawSocket(t, broker.url, '/tts/websocket', headers);
  for (const [action, status, code] of [
    [{ type: 'refuse' }, 502, 'upstream_unavailable'],
    [{ type: 'refuse', at: 'accept' }, 502, 'upstream_unavailable'],
    [{ type: 'half_close', at: 'before_headers' }, 502, 'upstream_unavailable'],
    [{ type: 'half_close', at: 'inside_headers' }, 502, 'upstream_unavailable'],
    [{ type: 'garbage', bytes: 'SSH-2.0\r\n' }, 502, 'upstream_unavailable'],
    [{ type: 'answer', status: 429, retryAfter: 7 }, 429, null],
    [{ type: 'answer', status: 503, html: true }, 503, null],
    [{ type: 'answer', status: 403, echoAuthorization: true }, 502, 'upstream_rejected'],
    [{ type: 'redirect', location: 'http://127.0.0.1:1/' }, 502, 'upstream_unavailable'],
  ] as const) {
    simulator.faults.add({ match: {}, times: 1, action });
    const expected = code === null ? `HTTP/1.1 ${status} ` : `HTTP/1.1 ${status} [\\s\\S]*"${code}"`;
    await t.rejects(open(), new RegExp(expected), `${action.type} ${status}`);
  }
  simulator.faults.add({ match: {}, times: 1, action: { type: 'answer', status: 429, retryAfter: 7 } });
  await t.rejects(open(), /retry-after: 7/, 'its hint is kept');
  await simulator.close();
  const times: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    const start = performance.now();
    await t.rejects(open(), /HTTP\/1.1 502 /);
    times.push(performance.now() - start);
  }
  t.ok(Math.min(...times) < 100, `${times.map(Math.round).join()} ms`);
});

test('a silent upstream: 504 at the handshake deadline', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t, { seams: { socketHandshakeMs: 300 } });
  simulator.faults.add({ match: {}, times: 1, action: { type: 'hang' } });
  const start = performance.now();
  await t.rejects(openRawSocket(t, broker.url, '/tts/websocket', headers), /HTTP\/1.1 504 .*upstream_timeout/s);
  const ms = performance.now() - start;
  t.ok(ms > 250 && ms < 1300, `${ms}`);
});

test('an upstream that loses the socket: errors first, then 1011', async (t) => {
  const running = await startSocketBroker(t, { simulator: { settings: { latency: { perChunkMs: 60_000 } } } });
  const { broker, headers, simulator } = running;
  simulator.faults.add({ match: {}, times: 1, action: { type: 'reset_socket', afterFrames: 2 } });
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  const long = 'A sentence with more than one chunk, so that it stays unfinished.';
  socket.send(frameOf(1, speech('a', long)), frameOf(1, speech('b', long)));
  t.match(await socket.event(), { type: 'chunk' });
  t.match(await socket.event(), { type: 'chunk' });
  const lost = [await socket.event(), await socket.event()];
  for (const event of lost)
    t.match(event, { type: 'error', done: true, status_code: 502, error_code: 'upstream_unavailable' });
  t.strictSame(lost.map((event) => event['context_id']).sort(), ['a', 'b']);
  t.strictSame(await socket.closing(), { code: 1011, reason: 'upstream connection lost' });
  await logged(running, ({ msg, outcome }) => msg === 'socket closed' && outcome === 'upstream_unavailable');

  simulator.faults.add({ match: {}, times: 1, action: { type: 'reset_socket', afterFrames: 0 } });
  const stt = await openRawSocket(t, broker.url, STT_PATH, headers);
  const event = await stt.event();
  t.match(event, { type: 'error', status_code: 502, message: /./ });
  t.notOk('done' in event);
  t.equal((await stt.closing()).code, 1011);
});

const HOSTILE: readonly [string, Buffer][] = [
  ['a masked frame', makeTextFrame('{}', true)],
  ['a reserved bit', Buffer.from([0xc1, 0x02, 0x7b, 0x7d])],
  ['opcode 5', Buffer.from([0x85, 0x00])],
  ['a long ping', Buffer.concat([Buffer.from([0x89, 0x7e, 0x00, 0x7e]), Buffer.alloc(126)])],
  ['text that is not UTF-8', makeFrame(OPCODE.text, Buffer.from([0xff]), false)],
  ['large text that is not UTF-8', makeFrame(OPCODE.text, Buffer.alloc(200_000, 0xff), false)],
  ['a message of 17 MB', Buffer.from([0x81, 0x7f, 0, 0, 0, 0, 0x01, 0x10, 0, 0])],
  ['a continuation of nothing', Buffer.from([0x80, 0x00])],
  ['close code 1005', makeCloseFrame(1005, '', false)],
];

test('an upstream that is lost inside a message: no close frame fits in there, and the log names none', async (t) => {
  const opened: Socket[] = [];
  const url = await startRawUpstream(t, (socket, accept) => {
    opened.push(socket);
    socket.write(switching(accept));
  });
  const running = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  const open = async (): Promise<Socket> => {
    const client = await openRawSocket(t, running.broker.url, STT_PATH, running.headers);
    opened.at(-1)?.write(makeFrame(OPCODE.binary, Buffer.alloc(400_000), false).subarray(0, 300_000));
    await once(client.socket, 'data');
    return client.socket;
  };
  const closed = async (): Promise<object> => {
    const line = await logged(running, ({ msg }) => msg === 'socket closed');
    running.logs.length = 0;
    return line;
  };
  await open();
  opened.at(-1)?.destroy();
  t.match(await closed(), { outcome: 'upstream_unavailable', close_code: 1006, closed_by: 'upstream' });

  (await open()).write(closeFrameOf(3001));
  t.match(await closed(), { outcome: 'ok', close_code: 3001, closed_by: 'client' }, 'the code that the client sent');
});

test('an upstream that breaks the protocol: 1011, and its connection is closed', async (t) => {
  let frames: Buffer = Buffer.alloc(0);
  let gone = Promise.withResolvers<void>();
  const url = await startRawUpstream(t, (socket, accept) => {
    socket.on('close', () => gone.resolve());
    socket.write(Buffer.concat([Buffer.from(switching(accept), 'latin1'), frames]));
  });
  const { broker, headers } = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  for (const [name, bytes] of HOSTILE) {
    frames = bytes;
    gone = Promise.withResolvers();
    const socket = await openRawSocket(t, broker.url, STT_PATH, headers);
    if (!name.startsWith('large')) t.equal((await socket.closing()).code, 1011, name);
    socket.send(closeFrameOf(1011));
    await socket.ended();
    await gone.promise;
  }
});

test('upstream messages arrive as they were, in pieces of any size: fragments, large frames, binary, pings between', async (t) => {
  const big = JSON.stringify({ type: 'chunk', data: randomBytes(150_000).toString('base64'), context_id: 'a' });
  const fragment = (text: string | Buffer, opcode: number, isFinal: boolean): Buffer => {
    const frame = makeFrame(opcode, Buffer.from(text), false);
    if (!isFinal) frame[0] = opcode;
    return frame;
  };
  const message = Buffer.from('{"type":"timestamps","words":["Grüße","世界","🎉"]}');
  const error = Buffer.from('{"type":"error","status_code":500,"error":"Broken: it is","done":true,"context_id":"a"}');
  const bytes = Buffer.concat([
    fragment(message.subarray(0, 31), 1, false),
    makeFrame(OPCODE.ping, Buffer.from('p'), false),
    fragment(message.subarray(31), 0, true),
    makeTextFrame(big, false),
    makeFrame(OPCODE.binary, Buffer.from([1, 2, 3]), false),
    fragment(error.subarray(0, 10), 1, false),
    fragment(error.subarray(10), 0, true),
    fragment(big.slice(0, 100_000), 1, false),
    makeFrame(OPCODE.pong, Buffer.alloc(0), false),
    fragment(big.slice(100_000), 0, true),
    makeTextFrame('not JSON', false),
    makeTextFrame('', false),
    makeCloseFrame(1000, 'bye', false),
  ]);
  for (const size of [1, 7, 1000, 65_536, bytes.length]) {
    const url = await startRawUpstream(t, (socket, accept) => {
      socket.setNoDelay(true);
      socket.write(switching(accept), 'latin1');
      for (let at = 0; at < bytes.length; at += size === 1 ? 977 : size) {
        const step = size === 1 ? 977 : size;
        socket.write(bytes.subarray(at, at + step));
      }
    });
    const { broker, headers } = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
    const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
    const seen: (string | number)[] = [];
    let text = '';
    for (;;) {
      const { opcode, payload, isFinal } = await socket.frame();
      if (opcode === 8) break;
      if (opcode === 2) seen.push(payload.toString('hex'));
      else if (opcode < 2) text += payload.toString('utf8');
      if (opcode < 2 && isFinal) {
        seen.push(text);
        text = '';
      }
    }
    const rewritten = JSON.parse(String(seen[3]));
    t.match(rewritten, {
      title: 'Broken',
      message: 'it is',
      error: 'Broken: it is',
      context_id: 'a',
      source: 'upstream',
    });
    seen.splice(3, 1);
    t.strictSame(seen, [message.toString('utf8'), big, '010203', big, 'not JSON', ''], `pieces of ${size}`);
  }
});

test('an upstream error nested deeper than any stack is handled like every other', async (t) => {
  const depth = 7000; // short enough to be read on every socket
  const nested = `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const error = `{"type":"error","x":${nested},"context_id":"a","status_code":400,"title":"T","message":"M"}`;
  const url = await startRawUpstream(t, (socket, accept) => {
    socket.write(switching(accept));
    socket.on('data', () => socket.write(makeTextFrame(error, false)));
  });
  const running = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  for (const [path, message] of [
    ['/tts/websocket', frameOf(1, speech('a', 'One.'))],
    [STT_PATH, frameOf(2, 'audio')],
  ] as const) {
    const socket = await openRawSocket(t, running.broker.url, path, running.headers);
    socket.send(message);
    t.match(await socket.event(), { type: 'error', status_code: 400, title: 'T', message: 'M', source: 'upstream' });
  }
});

test('upstream answers with our key in every possible place: it is passed on nowhere', async (t) => {
  const url = await startRawUpstream(t, () => {});
  const holder = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  const key = holder.simulator.apiKey;
  const echo = await startRawUpstream(t, (socket, accept) => {
    socket.write(
      Buffer.concat([
        Buffer.from(switching(accept, `cartesia-request-id: ${key}\r\n`), 'latin1'),
        makeTextFrame(
          JSON.stringify({ type: 'error', status_code: 400, message: `Bad key ${key}`, done: true }),
          false,
        ),
        makeCloseFrame(1008, key, false),
      ]),
    );
  });
  const { broker, headers, watch } = await startSocketBroker(t, {
    env: { CARTESIA_BASE_URL: echo, CARTESIA_API_KEY: key },
  });
  watch.add({ name: 'echoed key', value: key }, 'sk_car_'.length);
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  t.notMatch(socket.head, /cartesia-request-id/);
  t.match(await socket.event(), { type: 'error', message: 'Cartesia reported an error.' });
  t.strictSame(await socket.closing(), { code: 1008, reason: '' });
});

test('upstream no longer accepts our key on open sockets: our fault, and an alarm', async (t) => {
  const error = { type: 'error', title: 'Unauthorized', message: 'Invalid API key', context_id: 'a', done: true };
  let status = 0;
  const url = await startRawUpstream(t, (socket, accept) => {
    socket.write(switching(accept));
    socket.write(makeTextFrame(JSON.stringify({ ...error, status_code: status }), false));
  });
  const { broker, headers } = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  let alarms = 0;
  for (const path of ['/tts/websocket', STT_PATH]) {
    for (status of [401, 403]) {
      alarms += 1;
      const event = await (await openRawSocket(t, broker.url, path, headers)).event();
      t.match(event, { type: 'error', status_code: 502, error_code: 'upstream_rejected', source: 'broker' });
      t.notMatch(JSON.stringify(event), /Invalid API key/);
      const metrics = await broker.metrics.registry.metrics();
      t.match(metrics, `broker_upstream_key_rejected_total ${alarms}\n`);
    }
    status = 402;
    const event = await (await openRawSocket(t, broker.url, path, headers)).event();
    t.match(event, { status_code: 402, title: 'Unauthorized', source: 'upstream' }, 'about the account');
  }
});

test('a client leaves without a close frame: upstream is told to stop, and released', async (t) => {
  const running = await startSocketBroker(t, { simulator: { settings: { latency: { perChunkMs: 60_000 } } } });
  const { broker, headers, simulator } = running;
  for (const leave of ['destroy', 'resetAndDestroy', 'end'] as const) {
    simulator.journal.clear();
    const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
    socket.send(frameOf(1, speech('a', 'A sentence with more than one chunk, so that it stays unfinished.')));
    t.match(await socket.event(), { type: 'chunk' });
    socket.socket[leave]();
    const entry = await simulator.journal.waitFor({ path: '/tts/websocket' });
    t.ok(
      entry.frames.some(({ text = '' }) => text === '{"context_id":"a","cancel":true}'),
      `${leave}: cancelled`,
    );
    t.equal(entry.frames.find(({ kind, from }) => kind === 'close' && from === 'client')?.code, 1001, leave);
  }
  const line = await logged(running, ({ msg }) => msg === 'socket closed');
  t.match(line, { outcome: 'aborted', close_code: 1006, closed_by: 'client' });
});

test('a client that leaves while upstream is being connected ends that attempt at once', async (t) => {
  const { broker, headers, simulator } = await startSocketBroker(t);
  const times: number[] = [];
  for (let i = 0; i < 5; i += 1) {
    simulator.journal.clear();
    simulator.faults.add({ match: {}, times: 1, action: { type: 'hang' } });
    const opening = openRawSocket(t, broker.url, '/tts/websocket', headers);
    opening.catch(() => {});
    await simulator.journal.waitFor({}, () => true);
    const start = performance.now();
    for (const handle of openClientSockets(broker.url)) handle.resetAndDestroy();
    await simulator.journal.waitFor({}, ({ outcome }) => outcome !== 'open');
    times.push(performance.now() - start);
    await t.rejects(opening);
  }
  t.ok(Math.min(...times) < 100, `${times.map(Math.round).join()} ms`);
});

function openClientSockets(url: string): Socket[] {
  const port = Number(new URL(url).port);
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  return handles.filter(
    (handle): handle is Socket => handle instanceof Object && Reflect.get(handle, 'remotePort') === port,
  );
}

test('a ping flood from a peer that does not read ends the connection, and memory stays flat', async (t) => {
  const { broker, headers } = await startSocketBroker(t);
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.socket.pause();
  const flood = Buffer.concat(Array.from({ length: 500 }, () => frameOf(9, 'x'.repeat(125))));
  const before = process.memoryUsage().external;
  let isOver = false;
  socket.socket.on('close', () => {
    isOver = true;
  });
  for (let sent = 0; sent < 2000 && !isOver; sent += 1) {
    if (!socket.socket.write(flood))
      await Promise.race([once(socket.socket, 'drain'), once(socket.socket, 'close')]).catch(() => {});
  }
  t.ok(isOver, 'ended');
  t.ok(process.memoryUsage().external - before < 64 * 1024 * 1024);
});

test('answers that wait for the end of a large message are bounded like any that a client leaves unread', async (t) => {
  for (const [name, frame] of [
    ['pongs', frameOf(9, 'x'.repeat(125))],
    ['errors', frameOf(1, '{}x')],
  ] as const) {
    const url = await startRawUpstream(t, (socket, accept) => {
      socket.write(switching(accept), 'latin1');
      socket.write(makeTextFrame('x'.repeat(1024 * 1024), false).subarray(0, 300_000)); // and nothing more
    });
    const { broker, headers } = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
    const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
    let isOver = false;
    socket.socket.on('close', () => {
      isOver = true;
    });
    socket.socket.on('error', () => {});
    const flood = Buffer.concat(Array.from({ length: 500 }, () => frame));
    for (let sent = 0; sent < 100 && !isOver; sent += 1) {
      if (!socket.socket.write(flood))
        await Promise.race([once(socket.socket, 'drain'), once(socket.socket, 'close')]).catch(() => {});
      await new Promise(setImmediate);
    }
    for (let waited = 0; waited < 100 && !isOver; waited += 1) await new Promise((resolve) => setTimeout(resolve, 50));
    t.ok(isOver, `${name}: ended`);
  }
});

test('a slow reader pauses upstream, and gets everything', async (t) => {
  const text = JSON.stringify({ type: 'chunk', data: randomBytes(16_384).toString('base64'), context_id: 'a' });
  const frame = makeTextFrame(text, false);
  const count = 800;
  let written = 0;
  const url = await startRawUpstream(t, (socket, accept) => {
    socket.write(switching(accept), 'latin1');
    const more = (): void => {
      while (written < count) {
        written += 1;
        if (!socket.write(frame)) {
          socket.once('drain', more);
          return;
        }
      }
    };
    more();
  });
  const { broker, headers } = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
  socket.socket.pause();
  let last = -1;
  while (last !== written) {
    last = written;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  t.ok(written < count, `upstream was held after ${written} of ${count} frames`);
  socket.socket.resume();
  for (let n = 0; n < count; n += 1) {
    const { payload } = await socket.frame(10_000);
    if (payload.toString('latin1') !== text) t.fail(`frame ${n} changed`);
  }
  socket.send(closeFrameOf(1000));
});
