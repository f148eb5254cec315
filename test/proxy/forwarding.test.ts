import { type Test, test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { EventStream } from '../../src/proxy/events/event-stream.ts';
import { Forwarding, type ForwardingOutcome } from '../../src/proxy/forwarding.ts';
import { UpstreamFailure } from '../../src/upstream/upstream-failure.ts';
import { type RealResponse, realResponse } from './real-response.ts';

interface Stage extends RealResponse {
  readonly forwarding: Forwarding;
  /** Calls that the forwarding made to its surroundings, in order. */
  readonly calls: string[];
  readonly outcomes: ForwardingOutcome['outcome'][];
  readonly clock: { now: number };
}

/** A forwarding that writes to a real response; the test plays upstream. */
async function stage(t: Test, events: EventStream | null = null): Promise<Stage> {
  const { response, answer } = await realResponse(t);
  const calls: string[] = [];
  const outcomes: ForwardingOutcome['outcome'][] = [];
  const clock = { now: 0 };
  const made: Stage = {
    calls,
    outcomes,
    response,
    answer,
    clock,
    forwarding: new Forwarding({
      response,
      deadlines: { headMs: 100, idleMs: 50, totalMs: 1000 },
      now: () => clock.now,
      events,
      isRevealing: () => false,
      observe: null,
      begin(status) {
        calls.push(`begin ${status}`);
        response.writeHead(status);
      },
      refuse(problem) {
        calls.push(`refuse ${problem.code}`);
        response.writeHead(problem.status).end();
      },
      refuseWith(status) {
        calls.push(`refuse with ${status}`);
        response.writeHead(status).end();
      },
      ended: ({ outcome }) => void outcomes.push(outcome),
    }),
  };
  made.forwarding.onSent({
    abort: () => void calls.push('abort'),
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
  });
  return made;
}

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
  forwarding.giveUp();
  forwarding.giveUp();
  forwarding.onFailure(new UpstreamFailure('cut', 'UND_ERR_ABORTED'));
  forwarding.onHead(200, [], false);
  forwarding.onEnd();
  t.equal((await answer).status, 403);
  t.strictSame(calls, ['abort']);
  t.strictSame(outcomes, ['refused']);
});

test('a request refused while its answer is under way is cut off', async (t) => {
  const { forwarding, outcomes, answer } = await stage(t);
  forwarding.onHead(200, [], false);
  forwarding.onData(HELLO, HELLO.length, false);
  forwarding.giveUp();
  t.strictSame(outcomes, ['cut']);
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
