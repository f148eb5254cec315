import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Test, test } from 'tap';
import { Problem } from '../../../src/errors/problems.ts';
import { EventStream, type EventStreamOptions } from '../../../src/proxy/events/event-stream.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/cartesia');
const OURS = '0f8fad5b-d9cb-469f-a165-70867728950e';
const CUT = (): Problem => new Problem('upstream_unavailable', 'The stream broke off.');

function stream(options: Partial<EventStreamOptions> = {}): EventStream {
  return new EventStream({
    contextId: null,
    requestId: OURS,
    isRevealing: () => false,
    keyRefused: () => {},
    ...options,
  });
}

/** All output for these pieces and for the end of the connection after them. */
function through(events: EventStream, pieces: readonly Uint8Array[]): string {
  const out = pieces.map((piece) => events.push(Buffer.from(piece)));
  out.push(events.cut(CUT));
  return Buffer.concat(out.filter((piece) => piece !== null)).toString('utf8');
}

const whole = (text: string): Buffer[] => [Buffer.from(text)];
const bytewise = (text: string): Buffer[] => [...Buffer.from(text)].map((byte) => Buffer.from([byte]));

const chunk = (audio: Buffer, more: object = {}): string =>
  `data: ${JSON.stringify({ type: 'chunk', done: false, status_code: 206, step_time: 1, ...more, data: audio.toString('base64') })}\n\n`;
const done = (more: object = {}): string =>
  `data: ${JSON.stringify({ type: 'done', done: true, status_code: 206, ...more })}\n\n`;

/** The last event of a stream, as an object. */
function lastEvent(t: Test, text: string): Record<string, unknown> {
  const match = /(?:^|\n\n)event: error\ndata: (\{.*\})\n\n$/.exec(text);
  t.ok(match, `an error event at the end of ${JSON.stringify(text.slice(-300))}`);
  return JSON.parse(match?.[1] ?? '{}') as Record<string, unknown>;
}

for (const name of readdirSync(FIXTURES).filter((file) => /^sse\.tts\.stream\..*txt$/.test(file))) {
  test(`${name} passes unchanged, whole and cut at every byte`, async (t) => {
    const text = readFileSync(join(FIXTURES, name), 'utf8');
    const ends = /"done":\s*true/.test(text);
    t.ok(ends, 'the fixture is a complete stream');
    t.equal(through(stream(), whole(text)), text);
    t.equal(through(stream(), bytewise(text)), text);
    const bytes = Buffer.from(text);
    for (let at = 1; at < bytes.length; at += 1) {
      const out = through(stream(), [bytes.subarray(0, at), bytes.subarray(at)]);
      if (out !== text) t.fail(`cut at ${at}: ${out}`);
    }
  });
}

test('a long event in very many pieces is not copied again for each piece', (t) => {
  const text = `data: ${'x'.repeat(400_000)}\n\n`;
  const before = process.cpuUsage();
  t.equal(through(stream(), [...bytewise(text), ...whole(done())]), text + done());
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6; // of CPU time, whatever else runs
  t.ok(seconds < 10, `${seconds} s`); // half a minute if copied for each piece
  t.end();
});

test('an error with an invalid status gets status 500', (t) => {
  for (const status of [-5, 0, 200, 399, 429.5, 600, 1e9, '429', null]) {
    const text = through(
      stream(),
      whole(`data: ${JSON.stringify({ type: 'error', error: 'A: b', status_code: status })}\n\n`),
    );
    t.equal(lastEvent(t, text)['status_code'], 500, JSON.stringify(status));
  }
  t.end();
});

test('however a stream is cut, its bytes and the counted audio stay the same', async (t) => {
  const event = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((audio) => ({ text: chunk(Buffer.from(audio)), audio: audio.length })),
    fc.string({ maxLength: 12 }).map((word) => ({
      text: `data: ${JSON.stringify({ type: 'timestamps', done: false, word_timestamps: { words: [word, 'data', 'x'] } })}\n\n`,
      audio: 0,
    })),
    fc
      .constantFrom(': comment\n\n', 'event: ping\ndata: {}\n\n', 'id: 7\ndata: {"type":"new"}\n\n', '\n\n')
      .map((text) => ({
        text,
        audio: 0,
      })),
  );
  const scenario = fc.record({
    events: fc.array(event, { maxLength: 8 }),
    crlf: fc.boolean(),
    cuts: fc.array(fc.nat(), { maxLength: 6 }),
  });
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(scenario, ({ events, crlf, cuts }) => {
          const lf = events.map(({ text }) => text).join('') + done();
          const bytes = Buffer.from(crlf ? lf.replaceAll('\n', '\r\n') : lf);
          const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
          const pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end));
          const events_ = stream();
          if (through(events_, pieces) !== bytes.toString('utf8')) throw new Error('changed');
          const audio = events.reduce((sum, one) => sum + one.audio, 0);
          if (events_.audioBytes !== audio) throw new Error(`counted ${events_.audioBytes} of ${audio}`);
        }),
        { numRuns: 400 },
      ),
    '400 streams',
  );
});

test('a piece that ends with an event leaves at once; half an event waits for its other half', async (t) => {
  const events = stream();
  const first = chunk(Buffer.alloc(30));
  t.equal(events.push(Buffer.from(first))?.toString(), first);
  t.equal(events.push(Buffer.from('data: {"type"')), null);
  t.equal(events.push(Buffer.from(':"chunk"}\n')), null);
  t.equal(events.push(Buffer.from('\n'))?.toString(), 'data: {"type":"chunk"}\n\n');
  const two = first + first;
  t.equal(events.push(Buffer.from(`${two}data: {`))?.toString(), two, 'several events, and the beginning of one');
});

test('audio is counted without decoding it', async (t) => {
  for (const length of [0, 1, 2, 3, 4, 1000, 16_384]) {
    const events = stream();
    events.push(Buffer.from(chunk(Buffer.alloc(length, 7)) + chunk(Buffer.alloc(5))));
    t.equal(events.audioBytes, length + 5);
  }
  const spaced = stream();
  spaced.push(Buffer.from('data: { "data" : "AAAA" , "type" : "chunk" }\n\n'));
  t.equal(spaced.audioBytes, 3);
  const words = stream();
  words.push(
    Buffer.from(
      `data: ${JSON.stringify({ type: 'timestamps', context_id: 'data', word_timestamps: { words: ['data', 'is', 'data'] } })}\n\n`,
    ),
  );
  t.equal(words.audioBytes, 0, 'the word "data" is not audio');
});

test('a stream that announces its end gets no second end', async (t) => {
  const ends: Readonly<Record<string, string>> = {
    'a done event': done(),
    'a done event by its flag': 'data: {"done": true, "status_code": 200}\n\n',
    'a done event by its type': 'data: {"type" : "done"}\n\n',
    'a done event with a name': `event: done\n${done()}`,
    'a done event with a long context id': done({ context_id: 'c'.repeat(3000) }),
    'a done event over lines': 'data: {"type":"done",\ndata: "done":true}\n\n',
    'a done event, then a comment': `${done()}: bye\n\n`,
    'a done event after many others': chunk(Buffer.alloc(100)).repeat(20) + done(),
    'a done event after the word error': `data: {"type":"timestamps","words":["error"]}\n\n${done({ context_id: 'c'.repeat(3000) })}`,
  };
  for (const [name, text] of Object.entries(ends)) {
    t.equal(through(stream(), whole(text)), text, name);
    t.equal(through(stream(), bytewise(text)), text, `${name}, byte by byte`);
  }
});

test('a last event without its blank line is completed, not dropped', async (t) => {
  const text = `${chunk(Buffer.alloc(9))}${done().trimEnd()}`;
  t.equal(through(stream(), whole(text)), `${text}\n\n`);
  t.equal(through(stream(), whole(`${text}\n`)), `${text}\n\n\n`);
});

test('a stream that just stops ends with an error event, never with an invented success', async (t) => {
  const audio = chunk(Buffer.alloc(30));
  const cuts: Readonly<Record<string, [sent: string, passed: string]>> = {
    nothing: ['', ''],
    'a whole event': [audio, audio],
    'half an event': [audio + audio.slice(0, 40), audio],
    'half a done event': [audio + done().slice(0, -6), audio],
    'a comment': [': x\n\n', ': x\n\n'],
    'a flag that is not true': ['data: {"type":"chunk","done":false}\n\n', 'data: {"type":"chunk","done":false}\n\n'],
    'words that look like an end': [
      'data: {"words":["done","\\"done\\": true"]}\n\n',
      'data: {"words":["done","\\"done\\": true"]}\n\n',
    ],
  };
  for (const [name, [sent, passed]] of Object.entries(cuts)) {
    const out = through(stream({ contextId: 'ctx' }), whole(sent));
    t.ok(out.startsWith(passed), name);
    t.strictSame(
      lastEvent(t, out),
      {
        type: 'error',
        done: true,
        status_code: 502,
        error: 'Upstream unavailable: The stream broke off.',
        error_code: 'upstream_unavailable',
        title: 'Upstream unavailable',
        message: 'The stream broke off.',
        request_id: OURS,
        source: 'broker',
        context_id: 'ctx',
      },
      name,
    );
    t.ok(out.slice(passed.length).startsWith('event: error\n'), `${name}: and nothing between`);
  }
});

test('an end is sent only once', async (t) => {
  const events = stream();
  t.ok(events.cut(CUT));
  t.equal(events.cut(CUT), null);
});

const SUPERSET = ['type', 'done', 'status_code', 'error', 'error_code', 'title', 'message', 'request_id', 'source'];

for (const name of readdirSync(FIXTURES).filter((file) => /^sse\.tts\.error\..*txt$/.test(file))) {
  test(`${name} becomes the event that every client reads`, async (t) => {
    const text = readFileSync(join(FIXTURES, name), 'utf8');
    for (const pieces of [whole(text), bytewise(text)]) {
      const out = through(stream({ contextId: 'ctx-1' }), pieces);
      const event = lastEvent(t, out);
      t.strictSame(
        SUPERSET.filter((field) => !(field in event)),
        [],
      );
      t.match(event, { type: 'error', done: true, source: 'upstream', status_code: Number });
      t.equal(event['error'], `${String(event['title'])}: ${String(event['message'])}`);
      t.ok(event['context_id'], 'clients wait for ever without it');
      t.equal(out.match(/event: error/g)?.length, 1, 'one error');
    }
  });
}

test('errors in every form that upstream uses keep all that is known of them', async (t) => {
  const cases: Readonly<Record<string, [sent: string, expected: object]>> = {
    structured: [
      `data: ${JSON.stringify({
        type: 'error',
        done: true,
        status_code: 429,
        error_code: 'concurrency_limited',
        title: 'Too many',
        message: 'Wait.',
        request_id: 'up-1',
        doc_url: 'https://docs.cartesia.ai/x',
      })}\n\n`,
      {
        status_code: 429,
        error_code: 'concurrency_limited',
        title: 'Too many',
        message: 'Wait.',
        error: 'Too many: Wait.',
        request_id: 'up-1',
        doc_url: 'https://docs.cartesia.ai/x',
        context_id: 'ctx',
      },
    ],
    'structured, with a context of its own': [
      'data: {"type":"error","status_code":400,"title":"T","message":"M","context_id":"theirs"}\n\n',
      { status_code: 400, context_id: 'theirs', error_code: null, request_id: OURS },
    ],
    'with an event line': [
      'event: error\ndata: {"type":"error","status_code":500,"title":"T","message":"M"}\n\n',
      { status_code: 500, title: 'T' },
    ],
    'with an event line only': [
      'event:error\ndata:{"error":"Title: Message","status_code":400}\n\n',
      { status_code: 400, title: 'Title', message: 'Message' },
    ],
    legacy: [
      'data: {"type":"error","status_code":400,"done":true,"error":"Bad voice: It is not there: see above"}\n\n',
      { status_code: 400, title: 'Bad voice', message: 'It is not there: see above' },
    ],
    'legacy without a title': [
      'data: {"type":"error","status_code":500,"done":true,"error":"unexpected"}\n\n',
      { title: 'Upstream error', message: 'unexpected' },
    ],
    'plain text': ['event: error\ndata: Oh: no\n\n', { status_code: 500, title: 'Oh', message: 'no' }],
    empty: [
      'data: {"type":"error"}\n\n',
      { status_code: 500, title: 'Upstream error', message: 'Cartesia reported an error.' },
    ],
    'of odd types': [
      'data: {"type":"error","status_code":"500","title":7,"message":null,"error":{}}\n\n',
      { status_code: 500, title: 'Upstream error' },
    ],
    'with an invalid code': [
      'data: {"type":"error","status_code":400,"title":"T","message":"M","error_code":"a\\",\\"outcome\\":\\"ok"}\n\n',
      { status_code: 400, title: 'T', error_code: null },
    ],
    'with a code without end': [
      `data: {"type":"error","status_code":400,"title":"T","message":"M","error_code":"${'a'.repeat(65)}"}\n\n`,
      { status_code: 400, title: 'T', error_code: null },
    ],
    'over several data lines': [
      'data: {"type":"error",\ndata: "status_code":400,"title":"T","message":"M"}\n\n',
      { status_code: 400, title: 'T' },
    ],
    'with CRLF': [
      'event: error\r\ndata: {"type":"error","status_code":400,"title":"T","message":"M"}\r\n\r\n',
      { status_code: 400, title: 'T' },
    ],
    'after audio, in one piece': [
      `${chunk(Buffer.alloc(3))}data: {"type":"error","status_code":400,"title":"T","message":"M"}\n\n`,
      { status_code: 400, title: 'T' },
    ],
  };
  for (const [name, [sent, expected]] of Object.entries(cases)) {
    for (const pieces of [whole(sent), bytewise(sent)]) {
      const out = through(stream({ contextId: 'ctx' }), pieces);
      const event = lastEvent(t, out);
      t.match(event, { type: 'error', done: true, source: 'upstream', ...expected }, name);
      t.equal(event['error'], `${String(event['title'])}: ${String(event['message'])}`, name);
    }
  }
});

test('an error is the last event, whatever follows it', async (t) => {
  const error =
    'event: error\ndata: {"type":"error","error":"Bad: no","status_code":400,"error_code":"voice_not_found"}\n\n';
  const text = `${chunk(Buffer.alloc(4))}${error}${chunk(Buffer.alloc(8))}${done()}`;
  for (const pieces of [whole(text), bytewise(text)]) {
    const events = stream();
    const out = through(events, pieces);
    t.match(lastEvent(t, out), { type: 'error', error_code: 'voice_not_found' });
    t.equal(events.audioBytes, 4);
    t.equal(events.upstreamError, 'voice_not_found');
  }
});

test('the word error in other events is not an error', async (t) => {
  for (const text of [
    'data: {"type":"timestamps","word_timestamps":{"words":["error","\\"type\\":\\"error\\""]}}\n\n',
    'data: {"type":"chunk","context_id":"error","data":"AAAA"}\n\n',
    'event: error-free\ndata: {"type":"chunk"}\n\n',
    ': event: error\n\n',
    'event: error\n\n',
  ]) {
    t.equal(through(stream(), whole(text + done())), text + done(), text);
  }
});

test('upstream rejecting our key is reported as our fault and raises an alarm', async (t) => {
  for (const [status, code, isOurs] of [
    [401, null, true],
    [401, 'unauthorized', true],
    [403, null, true],
    [403, 'plan_upgrade_required', false],
    [402, 'quota_exceeded', false],
  ] as const) {
    const refused: number[] = [];
    const text = `data: ${JSON.stringify({ type: 'error', status_code: status, error_code: code, title: 'Unauthorized', message: 'Invalid API key' })}\n\n`;
    const event = lastEvent(
      t,
      through(stream({ contextId: 'c', keyRefused: (one) => refused.push(one) }), whole(text)),
    );
    t.strictSame(refused, isOurs ? [status] : []);
    if (isOurs) {
      t.match(event, { status_code: 502, error_code: 'upstream_rejected', source: 'broker', context_id: 'c' });
      t.notOk(JSON.stringify(event).includes('Invalid API key'));
    } else t.match(event, { status_code: status, error_code: code, source: 'upstream' });
  }
});

test('an error that repeats our key is passed on without its text', async (t) => {
  const isRevealing = (text: string): boolean => text.includes('sk_car_1');
  for (const sent of [
    'data: {"type":"error","status_code":400,"title":"T","message":"bad key sk_car_1","request_id":"up","error_code":"x"}\n\n',
    'data: {"type":"error","status_code":400,"error":"T: sk_car_1"}\n\n',
    'data: {"type":"error","status_code":400,"title":"T","message":"M","doc_url":"https://x/sk_car_1"}\n\n',
    'event: error\ndata: sk_car_1\n\n',
  ]) {
    const out = through(stream({ isRevealing }), whole(sent));
    t.notOk(out.includes('sk_car_1'), sent);
    t.match(lastEvent(t, out), { title: 'Upstream error', request_id: OURS, error_code: null });
  }
});

test('an event too long to hold passes unread, and later events are read again', async (t) => {
  const long = `data: ${JSON.stringify({ type: 'new', text: 'x'.repeat(1_200_000) })}\n\n`;
  const before = chunk(Buffer.alloc(30));
  const after = chunk(Buffer.alloc(60)) + done();
  const text = before + long + after;
  for (const crlf of [false, true]) {
    const bytes = Buffer.from(crlf ? text.replaceAll('\n', '\r\n') : text);
    for (const size of [16_384, 65_536, 1_000_000, 2_000_000]) {
      const events = stream();
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
      t.ok(through(events, pieces) === bytes.toString('utf8'), `pieces of ${size}`);
      t.equal(events.audioBytes, 90);
    }
    const lineEnd = bytes.indexOf(crlf ? '\r\n\r\n' : '\n\n', before.length + 1_000_000);
    for (let at = lineEnd - 1; at < lineEnd + 5; at += 1) {
      const pieces = [bytes.subarray(0, 1_150_000), bytes.subarray(1_150_000, at), bytes.subarray(at)];
      t.ok(through(stream(), pieces) === bytes.toString('utf8'), `cut at its end, ${at - lineEnd}`);
    }
  }
});

test('never more than a megabyte is held back', async (t) => {
  const events = stream();
  let sent = 0;
  let passed = 0;
  for (let i = 0; i < 100; i += 1) {
    sent += 65_536;
    passed += events.push(Buffer.alloc(65_536, 'x'))?.length ?? 0;
    if (sent - passed > 1024 * 1024) t.fail(`${sent - passed} bytes held`);
  }
  t.equal(passed, sent);
  const out = events.cut(CUT)?.toString() ?? '';
  t.ok(out.startsWith('\n\nevent: error\n'), 'the half event is ended before the error begins');
});

test('a stream with CR line ends leaves event by event, and its error is recognized', (t) => {
  const withCr = (text: string): string => text.replaceAll('\n', '\r');
  const audio = Buffer.from('some audio');
  for (const pieces of [whole, bytewise]) {
    const events = stream();
    for (const text of [withCr(chunk(audio)), withCr(chunk(audio))]) {
      const out = pieces(text).map((piece) => events.push(piece));
      t.equal(Buffer.concat(out.filter((piece) => piece !== null)).toString(), text, 'at once');
    }
    t.equal(events.audioBytes, 2 * audio.length);
    const error = withCr(
      `event: error\ndata: ${JSON.stringify({ type: 'error', error: 'A: b', status_code: 500 })}\n\n`,
    );
    t.match(lastEvent(t, through(events, pieces(error))), { type: 'error', status_code: 500, source: 'upstream' });
    t.equal(
      through(stream(), pieces(withCr(chunk(audio) + done()))),
      withCr(chunk(audio) + done()),
      'no invented error',
    );
  }
  t.end();
});

test('an event of CR lines too long to read ends in the right place', (t) => {
  const long = `data: ${'x'.repeat(1_100_000)}`;
  const events = stream();
  t.equal(events.push(Buffer.from(long))?.toString(), long);
  t.equal(events.push(Buffer.from('\r\rdata: {"type":"done"}\r\r'))?.toString(), '\r\rdata: {"type":"done"}\r\r');
  t.equal(events.cut(CUT), null);
  t.end();
});
