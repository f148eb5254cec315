import { type Test, test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { EventStream } from '../../src/proxy/events/event-stream.ts';
import { Forwarding, type ForwardingOutcome } from '../../src/proxy/forwarding.ts';
import { UpstreamFailure } from '../../src/upstream/upstream-failure.ts';
import { type RealResponse, realResponse } from './real-response.ts';

interface Stage extends RealResponse {
  readonly forwarding: Forwarding;
  /** Calls that the forwarding made to the client's side, in order. */
  readonly calls: string[];
  readonly outcomes: ForwardingOutcome['outcome'][];
  /** The last outcome, with its reasons. */
  readonly last: () => ForwardingOutcome | undefined;
  /** Bodies of error answers. */
  readonly errors: string[];
  readonly clock: { now: number };
}

interface Props {
  readonly observe?: (chunk: Buffer) => void;
  /** When it begins; 0 by default. */
  readonly startMs?: number;
  /** What upstream makes of an abort. */
  readonly onAbort?: (forwarding: Forwarding) => void;
}

/** A forwarding that writes to a real response; the test plays upstream. */
async function stage(t: Test, events: EventStream | null = null, props: Props = {}): Promise<Stage> {
  const { response, answer } = await realResponse(t);
  const calls: string[] = [];
  const outcomes: ForwardingOutcome['outcome'][] = [];
  const endings: ForwardingOutcome[] = [];
  const errors: string[] = [];
  const clock = { now: props.startMs ?? 0 };
  const made: Stage = {
    calls,
    outcomes,
    last: () => endings.at(-1),
    errors,
    response,
    answer,
    clock,
    forwarding: new Forwarding({
      response,
      deadlines: { headMs: 100, idleMs: 50, totalMs: 1000 },
      now: () => clock.now,
      events,
      isRevealing: () => false,
      observe: props.observe ?? null,
      begin(status, head, form) {
        const isFramed = form === 'framed';
        calls.push(`begin ${status}${isFramed ? ' framed' : ''}`);
        t.notOk(events !== null && head.forwarded.includes('content-length'), 'what is rewritten has no length yet');
        response.writeHead(status, isFramed ? ['transfer-encoding', 'chunked'] : []);
      },
      refuse(problem) {
        calls.push(`refuse ${problem.code}`);
        response.writeHead(problem.status).end();
      },
      refuseWith(status, body) {
        calls.push(`refuse with ${status}`);
        errors.push(body);
        response.writeHead(status).end();
      },
      ended(outcome) {
        outcomes.push(outcome.outcome);
        endings.push(outcome);
      },
    }),
  };
  made.forwarding.onSent({
    abort() {
      calls.push('abort');
      props.onAbort?.(made.forwarding);
    },
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
  });
  return made;
}

const eventStream = (): EventStream =>
  new EventStream({ contextId: 'c', requestId: 'id', isRevealing: () => false, keyRefused: () => {} });
/** The last event of an answer that is one. */
const lastEvent = ({ body }: { readonly body: Buffer }): unknown =>
  JSON.parse(body.toString().trimEnd().split('data: ').at(-1) ?? '');

const HELLO = Buffer.from('hello');
/** More than a response takes at once. */
const LARGE = Buffer.alloc(500_000);

test('a complete answer is passed on and counted, and ends only once', async (t) => {
  const { forwarding, calls, outcomes, answer } = await stage(t);
  forwarding.onHead(200, ['content-type', 'audio/wav'], false);
  forwarding.onData(HELLO, HELLO.length, false);
  forwarding.onEnd();
  forwarding.onFailure(new UpstreamFailure('cut', 'ECONNRESET'));
  const { body, isComplete } = await answer;
  t.equal(body.toString(), 'hello');
  t.ok(isComplete);
  t.equal(forwarding.bytes, 5);
  t.strictSame(calls, ['begin 200']);
  t.strictSame(outcomes, ['answered']);
});

test('each deadline is enforced when it is checked from outside', async (t) => {
  const waiting = await stage(t);
  waiting.forwarding.checkDeadlines(100);
  t.strictSame(waiting.outcomes, [], 'at the deadline it is not late');
  waiting.forwarding.checkDeadlines(101);
  t.strictSame(waiting.calls, ['refuse upstream_timeout', 'abort']);
  t.strictSame(waiting.outcomes, ['refused']);
  await waiting.answer;

  const idle = await stage(t);
  idle.forwarding.onHead(200, [], false);
  idle.clock.now = 40;
  idle.forwarding.onData(HELLO, HELLO.length, false);
  idle.forwarding.checkDeadlines(90);
  t.strictSame(idle.outcomes, []);
  idle.forwarding.checkDeadlines(91);
  t.strictSame(idle.outcomes, ['cut']);
  t.notOk((await idle.answer).isComplete);

  const dripping = await stage(t);
  dripping.forwarding.onHead(200, [], false);
  const { clock } = dripping;
  for (; clock.now <= 1000; clock.now += 10) {
    dripping.forwarding.onData(HELLO, HELLO.length, false);
    dripping.forwarding.checkDeadlines(clock.now);
  }
  t.strictSame(dripping.outcomes, []);
  dripping.forwarding.checkDeadlines(1001);
  t.strictSame(dripping.outcomes, ['cut']);
  t.notOk((await dripping.answer).isComplete);
});

test('the idle time counts from the head on, and stops while the reader is slow', async (t) => {
  const late = await stage(t);
  late.clock.now = 80;
  late.forwarding.onHead(200, [], false);
  late.forwarding.checkDeadlines(130);
  t.strictSame(late.outcomes, []);
  late.forwarding.checkDeadlines(131);
  t.strictSame(late.outcomes, ['cut']);
  await late.answer;

  const slow = await stage(t);
  slow.forwarding.onHead(200, [], false);
  slow.forwarding.onData(LARGE, LARGE.length, false);
  t.strictSame(slow.calls, ['begin 200', 'pause']);
  slow.clock.now = 500;
  slow.forwarding.checkDeadlines(500);
  t.strictSame(slow.outcomes, [], 'upstream is paused');
  while (!slow.calls.includes('resume')) await new Promise(setImmediate);
  slow.forwarding.checkDeadlines(550);
  t.strictSame(slow.outcomes, []);
  slow.forwarding.checkDeadlines(551);
  t.strictSame(slow.outcomes, ['cut']);
  t.notOk((await slow.answer).isComplete);
});

test('a reader that has not taken everything in time is cut, and upstream is not blamed', async (t) => {
  const stream = new EventStream({ contextId: null, requestId: 'id', isRevealing: () => false, keyRefused: () => {} });
  for (const [type, events, piece] of [
    ['audio/raw', null, LARGE],
    ['text/event-stream', stream, Buffer.from(`data: ${'x'.repeat(500_000)}\n\n`)],
  ] as const) {
    const { forwarding, calls, outcomes, answer } = await stage(t, events);
    forwarding.onHead(200, ['content-type', type], false);
    forwarding.onData(piece, piece.length, false);
    forwarding.checkDeadlines(1000);
    t.strictSame(outcomes, [], type);
    forwarding.checkDeadlines(1001);
    t.strictSame(calls, ['begin 200', 'pause', 'abort'], type);
    t.strictSame(outcomes, ['aborted'], type);
    t.notOk((await answer).isComplete, type);
  }
});

test('a request that was refused and answered elsewhere gets no second answer', async (t) => {
  const { forwarding, calls, outcomes, response, answer } = await stage(t);
  response.writeHead(403).end();
  forwarding.giveUp(new Problem('content_not_allowed'));
  forwarding.giveUp(new Problem('content_not_allowed'));
  forwarding.onFailure(new UpstreamFailure('cut', 'UND_ERR_ABORTED'));
  forwarding.onHead(200, [], false);
  forwarding.onEnd();
  t.equal((await answer).status, 403);
  t.strictSame(calls, ['abort']);
  t.strictSame(outcomes, ['refused']);
});

test('a request refused while its answer is under way is cut off', async (t) => {
  const { forwarding, outcomes, last, answer } = await stage(t);
  forwarding.onHead(200, [], false);
  forwarding.onData(HELLO, HELLO.length, false);
  const problem = new Problem('content_not_allowed');
  forwarding.giveUp(problem);
  t.strictSame(outcomes, ['aborted']);
  t.strictSame(last(), { outcome: 'aborted', problem }, 'which is not upstream’s fault');
  t.notOk((await answer).isComplete);
});

test('a cut also aborts a connection that is only made afterwards', async (t) => {
  const { forwarding, calls, outcomes, answer } = await stage(t);
  answer.catch(() => {}); // there is none
  forwarding.cut(new Problem('draining'));
  forwarding.onSent({ abort: () => void calls.push('abort later'), pause: () => {}, resume: () => {} });
  t.strictSame(calls, ['refuse draining', 'abort', 'abort later'], 'and the client is told');
  t.strictSame(outcomes, ['aborted']);
});

test('an error answer is read completely, up to a limit', async (t) => {
  const small = await stage(t);
  small.forwarding.onHead(404, [], false);
  small.forwarding.onData(HELLO, HELLO.length, false);
  small.forwarding.onEnd();
  t.strictSame(small.calls, ['refuse with 404']);
  const long = await stage(t);
  long.forwarding.onHead(500, [], false);
  for (let i = 0; i < 10; i += 1) long.forwarding.onData(Buffer.alloc(10_000), 10_000, false);
  t.strictSame(long.calls.sort(), ['abort', 'refuse with 500']);
  t.strictSame(long.outcomes, ['refused']);
  const broken = await stage(t);
  broken.forwarding.onHead(503, [], false);
  broken.forwarding.onFailure(new UpstreamFailure('cut', 'ECONNRESET'));
  t.strictSame(broken.calls, ['refuse with 503'], 'its status says enough');
  await Promise.all([small.answer, long.answer, broken.answer]);
});

test('an error in the last piece of an event stream also gets the common shape', async (t) => {
  const events = new EventStream({ contextId: 'c', requestId: 'id', isRevealing: () => false, keyRefused: () => {} });
  const { forwarding, answer } = await stage(t, events);
  forwarding.onHead(200, ['content-type', 'text/event-stream'], false);
  const piece = Buffer.from('data: {"type":"error","error":"Bad: worse","status_code":400}\n\n');
  forwarding.onData(piece, piece.length, true);
  forwarding.onEnd();
  const { body, isComplete } = await answer;
  t.ok(isComplete);
  t.match(JSON.parse(body.toString().split('data: ')[1] ?? ''), { title: 'Bad', context_id: 'c', request_id: 'id' });
});

test('an answer that no client could read becomes a 502', async (t) => {
  const stream = (): EventStream =>
    new EventStream({ contextId: null, requestId: 'id', isRevealing: () => false, keyRefused: () => {} });
  for (const [what, events, status, head] of [
    ['an invalid status', null, 600, []],
    ['a compressed body', null, 200, ['content-encoding', 'gzip']],
    ['a body compressed for its way', null, 200, ['transfer-encoding', 'gzip, chunked']],
    ['compressed, whatever else it says', null, 200, ['content-encoding', 'gzip', 'transfer-encoding', 'chunked']],
    ['a page where events were asked for', stream(), 200, ['content-type', 'text/html']],
    ['nothing said where events were asked for', stream(), 200, []],
  ] as const) {
    const { forwarding, calls, outcomes, answer } = await stage(t, events);
    forwarding.onHead(status, head, false);
    forwarding.onData(HELLO, HELLO.length, false);
    forwarding.onEnd();
    t.equal((await answer).status, 502, what);
    t.strictSame(calls, ['refuse upstream_unavailable', 'abort'], what);
    t.strictSame(outcomes, ['refused'], what);
  }
  for (const type of ['text/event-stream', 'Text/Event-Stream;charset=utf-8']) {
    const { forwarding, calls, answer } = await stage(t, stream());
    forwarding.onHead(200, ['content-type', type, 'content-encoding', 'identity'], false);
    forwarding.onEnd();
    t.equal((await answer).status, 200);
    t.strictSame(calls, ['begin 200'], type);
  }
});

test('a slow reader is waited for only once, however much arrives meanwhile', async (t) => {
  const { forwarding, calls, response, answer } = await stage(t);
  forwarding.onHead(200, [], false);
  forwarding.onData(LARGE, LARGE.length, false);
  const { socket } = response;
  for (let piece = 0; piece < 100; piece += 1) forwarding.onData(HELLO, HELLO.length, false); // from the same read
  t.equal(socket?.listenerCount('drain'), 2, "ours, and the response's own");
  forwarding.onEnd();
  t.equal((await answer).body.length, LARGE.length + 100 * HELLO.length);
  t.equal(calls.filter((call) => call === 'pause').length, 1);
});

test('cut by the operator: audio breaks off behind what has passed, events end with the reason', async (t) => {
  const problem = new Problem('token_revoked');
  const audio = await stage(t);
  audio.forwarding.onHead(200, [], false);
  audio.forwarding.onData(HELLO, HELLO.length, false);
  audio.forwarding.cut(problem);
  audio.forwarding.cut(new Problem('draining'));
  t.strictSame(audio.calls, ['begin 200', 'abort']);
  t.equal(audio.outcomes.length, 1);
  t.strictSame(audio.last(), { outcome: 'aborted', problem });
  t.match(await audio.answer, { body: HELLO, isComplete: false });

  const events = await stage(t, eventStream());
  const event = Buffer.from('data: {"type":"chunk"}\n\n');
  events.forwarding.onHead(200, ['content-type', 'text/event-stream'], false);
  events.forwarding.onData(event, event.length, false);
  events.forwarding.cut(problem);
  t.notOk(events.response.destroyed, 'that is its end');
  t.strictSame(events.calls, ['begin 200', 'abort']);
  t.strictSame(events.last(), { outcome: 'aborted', problem });
  const ended = await events.answer;
  t.ok(ended.isComplete);
  t.ok(ended.body.toString().startsWith(event.toString()));
  t.match(lastEvent(ended), { error_code: 'token_revoked', context_id: 'c', request_id: 'id' });

  const error = await stage(t);
  error.forwarding.onHead(500, [], false);
  error.forwarding.cut(problem);
  t.notOk(error.response.destroyed, 'nothing has begun that could break off');
  t.strictSame(error.calls, ['refuse token_revoked', 'abort'], 'an error answer that is still being read');
  t.equal((await error.answer).isComplete, true);
});

test('a broken event stream says whether it broke off, was late or was broken off for its upload', async (t) => {
  const event = Buffer.from('data: {"type":"chunk"}\n\n');
  const half = Buffer.from('data: {"type":');
  for (const [what, end, code, failure] of [
    [
      'broken off',
      ({ forwarding }: Stage) => forwarding.onFailure(new UpstreamFailure('cut', 'ECONNRESET')),
      'upstream_unavailable',
      'cut: ECONNRESET',
    ],
    ['ended', ({ forwarding }: Stage) => forwarding.onEnd(), 'upstream_unavailable', 'cut: END'],
    ['silent', ({ forwarding }: Stage) => forwarding.checkDeadlines(51), 'upstream_timeout', 'deadline: 51 ms'],
    [
      'given up',
      ({ forwarding }: Stage) => forwarding.giveUp(new Problem('payload_too_large')),
      'payload_too_large',
      'aborted',
    ],
  ] as const) {
    const staged = await stage(t, eventStream());
    staged.forwarding.onHead(200, ['content-type', 'text/event-stream'], false);
    staged.forwarding.onData(event, event.length, false);
    staged.forwarding.onData(half, half.length, false);
    end(staged);
    const last = staged.last();
    t.equal(last?.outcome === 'cut' ? last.failure.message : last?.outcome, failure, what);
    const answer = await staged.answer;
    t.ok(answer.isComplete, `${what}: its own end is said in it`);
    t.ok(answer.body.toString().startsWith(event.toString()), what);
    t.notOk(answer.body.includes('"type":data'), what);
    t.match(lastEvent(answer), { error_code: code, context_id: 'c', request_id: 'id' }, what);
  }
});

test('an event stream that has said how it ended has ended well, however its connection does', async (t) => {
  const done = Buffer.from('data: {"type":"done","done":true}\n\n');
  for (const received of [done, done.subarray(0, -1)])
    for (const end of [
      (forwarding: Forwarding) => forwarding.onEnd(),
      (forwarding: Forwarding) => forwarding.onFailure(new UpstreamFailure('cut', 'ECONNRESET')),
      (forwarding: Forwarding) => forwarding.checkDeadlines(1001),
    ]) {
      const { forwarding, outcomes, answer } = await stage(t, eventStream());
      forwarding.onHead(200, ['content-type', 'text/event-stream'], false);
      forwarding.onData(received, received.length, false);
      end(forwarding);
      const { body, isComplete } = await answer;
      t.ok(body.toString().startsWith(received.toString()));
      t.strictSame([body.toString().trimEnd(), isComplete], [done.toString().trimEnd(), true]);
      t.strictSame(outcomes, ['answered']);
    }
});

test('the client leaves: upstream is told, once, in each phase', async (t) => {
  const phases: Readonly<Record<string, (forwarding: Forwarding) => void>> = {
    waiting: () => {},
    streaming: (forwarding) => void forwarding.onHead(200, [], false),
    paused(forwarding) {
      forwarding.onHead(200, [], false);
      forwarding.onData(LARGE, LARGE.length, false);
    },
    error: (forwarding) => void forwarding.onHead(500, [], false),
  };
  for (const [phase, reach] of Object.entries(phases)) {
    const { forwarding, calls, outcomes, last, response, answer } = await stage(t);
    answer.catch(() => {}); // there may be none
    reach(forwarding);
    const before = calls.length;
    response.destroy();
    while (last() === undefined) await new Promise(setImmediate);
    t.strictSame(calls.slice(before), ['abort'], phase);
    t.strictSame(last(), { outcome: 'aborted' }, phase);
    forwarding.onEnd();
    forwarding.onFailure(new UpstreamFailure('cut', 'ABORTED'));
    forwarding.giveUp(new Problem('content_not_allowed'));
    forwarding.cut(new Problem('draining'));
    forwarding.checkDeadlines(5_000);
    t.strictSame(calls.slice(before), ['abort'], `${phase}: nothing is left to do`);
    t.equal(outcomes.length, 1, phase);
  }
});

test("an error that was answered belongs to the response no more: it may be the next try's", async (t) => {
  const { forwarding, outcomes, response, answer } = await stage(t);
  forwarding.onHead(429, [], false);
  forwarding.onEnd();
  await answer;
  if (!response.destroyed) await new Promise((resolve) => response.on('close', resolve));
  t.equal(response.listeners('close').length, 0);
  t.equal(outcomes.length, 1);
});

test('what an error says is kept up to 16 KB; of one that is compressed only its status counts', async (t) => {
  const max = 16_384;
  for (const [length, kept] of [
    [max, max],
    [max + 1, 0],
  ] as const) {
    const abortIsHeard = (forwarding: Forwarding): void => forwarding.onFailure(new UpstreamFailure('cut', 'ABORTED'));
    const { forwarding, calls, errors, outcomes, answer } = await stage(t, null, { onAbort: abortIsHeard });
    forwarding.onHead(500, [], false);
    forwarding.onData(Buffer.alloc(length - 2, 'a'), length - 2, false);
    forwarding.onData(Buffer.from('bc'), 2, false);
    forwarding.onEnd();
    t.equal(errors[0]?.length, kept, `${length}`);
    t.equal(errors[0]?.slice(-3), kept === 0 ? '' : 'abc');
    t.strictSame(outcomes, ['refused'], 'once');
    t.strictSame(calls.sort(), kept === 0 ? ['abort', 'refuse with 500'] : ['refuse with 500']);
    await answer;
  }
  for (const [head, body] of [
    [['content-encoding', 'gzip'], ''],
    [['content-encoding', 'identity'], 'hello'],
  ] as const) {
    const { forwarding, errors, answer } = await stage(t);
    forwarding.onHead(400, head, false);
    forwarding.onData(HELLO, HELLO.length, false);
    forwarding.onEnd();
    t.strictSame(errors, [body]);
    await answer;
  }
});

test('which statuses pass, which are errors and which are none', async (t) => {
  for (const [status, call] of [
    [200, 'begin 200'],
    [299, 'begin 299'],
    [300, 'refuse with 300'],
    [302, 'refuse with 302'],
    [599, 'refuse with 599'],
    [600, 'refuse upstream_unavailable'],
  ] as const) {
    const { forwarding, calls, answer } = await stage(t);
    forwarding.onHead(status, [], false);
    forwarding.onEnd();
    t.equal(calls[0], call);
    await answer;
  }
});

test('chunks stay as they are where nobody looks into them and the client can read them', async (t) => {
  const chunks = Buffer.from('5\r\nhello\r\n0\r\n\r\n');
  const asTheyStand = await stage(t);
  t.equal(asTheyStand.forwarding.onHead(200, [], true), 'framed');
  asTheyStand.forwarding.onData(chunks, HELLO.length, true);
  asTheyStand.forwarding.onEnd();
  t.match(await asTheyStand.answer, { body: HELLO, isComplete: true });
  t.equal(asTheyStand.forwarding.bytes, HELLO.length);
  t.strictSame(asTheyStand.calls, ['begin 200 framed']);

  const seen: string[] = [];
  const observe = (chunk: Buffer): void => void seen.push(chunk.toString());
  const old = await stage(t);
  old.response.req.httpVersion = '1.0';
  const others: Readonly<Record<string, [Stage, string[], boolean]>> = {
    'no chunks': [await stage(t), [], false],
    'looked into': [await stage(t, null, { observe }), [], true],
    'events are rewritten': [await stage(t, eventStream()), ['content-type', 'text/event-stream'], true],
    'HTTP/1.0 has none': [old, [], true],
  };
  for (const [what, [{ forwarding, calls, answer }, head, isChunked]] of Object.entries(others)) {
    t.equal(forwarding.onHead(200, head, isChunked), 'data', what);
    forwarding.onData(HELLO, HELLO.length, false);
    forwarding.onEnd();
    const { body, isComplete } = await answer;
    t.ok(isComplete, what);
    if (head.length === 0) t.equal(body.toString(), 'hello', what);
    t.strictSame(calls, ['begin 200'], what);
  }
  t.strictSame(seen, ['hello']);
});

test('a head that comes alone leaves alone, in the turn in which it has come', async (t) => {
  const { forwarding, response, answer } = await stage(t);
  forwarding.onHead(200, [], false);
  t.equal(response.socket?.bytesWritten, 0, 'what comes with it leaves with it');
  await new Promise(setImmediate);
  t.ok((response.socket?.bytesWritten ?? 0) > 0);
  forwarding.onEnd();
  t.equal((await answer).status, 200);
});

test('the last piece ends the answer, at once', async (t) => {
  const { forwarding, response, outcomes, answer } = await stage(t);
  forwarding.onHead(200, [], false);
  forwarding.onData(HELLO, HELLO.length, false);
  forwarding.onData(Buffer.from('!'), 1, true);
  t.ok(response.writableEnded);
  t.strictSame(outcomes, []);
  forwarding.onEnd();
  t.match(await answer, { body: Buffer.from('hello!'), isComplete: true });
  t.strictSame(outcomes, ['answered']);
});

test('its age and its deadlines are counted from its beginning', async (t) => {
  for (const isBegun of [false, true]) {
    const { forwarding, clock, outcomes, answer } = await stage(t, eventStream(), { startMs: 10_000 });
    clock.now = 10_030;
    t.equal(forwarding.ageMs, 30);
    const deadlineMs = isBegun ? 11_000 : 10_100;
    if (isBegun) {
      forwarding.onHead(200, ['content-type', 'text/event-stream', 'content-length', '5'], false);
      clock.now = deadlineMs;
      forwarding.onData(HELLO, HELLO.length, false);
    }
    forwarding.checkDeadlines(deadlineMs);
    t.strictSame(outcomes, []);
    forwarding.checkDeadlines(deadlineMs + 1);
    t.strictSame(outcomes, [isBegun ? 'cut' : 'refused']);
    await answer;
  }
});

test('what is only lent is still needed until it has gone to the kernel', async (t) => {
  const { forwarding, response, answer } = await stage(t);
  t.equal(forwarding.onHead(200, [], true), 'framed');
  const small = Buffer.from('5\r\nhello\r\n');
  const large = Buffer.concat([Buffer.from('989680\r\n'), Buffer.alloc(10_000_000), Buffer.from('\r\n')]);
  t.equal(forwarding.onData(small, 5, false), false);
  t.equal(forwarding.onData(large, 10_000_000, false), true);
  t.equal(forwarding.onData(small, 5, false), true);
  while ((response.socket?.writableLength ?? 0) > 0) await new Promise(setImmediate);
  t.equal(forwarding.onData(small, 5, false), false);
  forwarding.onData(Buffer.from('0\r\n\r\n'), 0, true);
  forwarding.onEnd();
  t.equal((await answer).body.length, 10_000_015);
});
