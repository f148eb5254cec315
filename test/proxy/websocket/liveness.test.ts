// When a socket must end, and what each side is told.
import { test } from 'tap';
import { Problem } from '../../../src/errors/problems.ts';
import {
  brokenByClient,
  brokenByUpstream,
  closedByClient,
  closedByUpstream,
  cutOff,
} from '../../../src/proxy/websocket/ending.ts';
import { Liveness } from '../../../src/proxy/websocket/liveness.ts';

const TIMES = { stallMs: 30_000, clientStallMs: 120_000 };
const LIFESPAN = { times: TIMES, endsAtMs: 100_000, expiresAtMs: 90_000, idleMs: 60_000 };

const pressure = (stalled: 'client' | 'upstream' | null = null, full: 'client' | 'upstream' | null = stalled) => ({
  stalled: (_nowMs: number, times: object) => (times === TIMES ? stalled : null),
  isClientFull: full === 'client',
  isUpstreamFull: full === 'upstream',
});
const FLOWING = pressure();

test('a socket ends for the first of these reasons that applies, and otherwise stays open', async (t) => {
  const fresh = (): Liveness => new Liveness(LIFESPAN, 10_000);
  const leaving = fresh();
  leaving.endsWhenIdle = true;
  const pinged = fresh();
  pinged.pinged();
  const unheard = fresh();
  unheard.pinged();
  unheard.isClientAlive = true;
  const unread = fresh();
  unread.pinged();
  unread.isUpstreamAlive = true;
  for (const [name, liveness, nowMs, isBusy, isPingTurn, flow, expected] of [
    ['nothing', fresh(), 70_000, false, false, FLOWING, null],
    ['a turn to ping', fresh(), 70_000, false, true, FLOWING, 'ping'],
    ['idle', fresh(), 70_001, false, true, FLOWING, { outcome: 'idle', toClient: { code: 1000 }, problem: null }],
    ['busy for long', fresh(), 89_999, true, false, FLOWING, null],
    ['a token past its life', fresh(), 90_000, true, true, pressure('client'), { toClient: { code: 1008 } }],
    ['a process that ends', leaving, 20_000, false, true, FLOWING, { outcome: 'draining', toClient: { code: 1012 } }],
    ['a process that ends, in the middle of something', leaving, 20_000, true, false, FLOWING, null],
    ['a client that takes nothing', fresh(), 20_000, true, false, pressure('client'), { by: 'broker', toClient: null }],
    [
      'an upstream that takes nothing',
      fresh(),
      20_000,
      true,
      false,
      pressure('upstream'),
      { outcome: 'upstream_timeout', toClient: { code: 1011, reason: 'upstream takes nothing' } },
    ],
    ['no answer yet', pinged, 20_000, false, false, FLOWING, null],
    ['no answer of the client', pinged, 20_000, false, true, FLOWING, { outcome: 'dead_peer', toClient: null }],
    [
      'no answer of upstream',
      unheard,
      20_000,
      false,
      true,
      FLOWING,
      { outcome: 'upstream_timeout', toClient: { code: 1011, reason: 'upstream does not answer' } },
    ],
    ['a client that is not read cannot answer', unread, 20_000, true, true, pressure(null, 'upstream'), 'ping'],
    ['a client that is behind gets to the ping later', pinged, 20_000, true, true, pressure(null, 'client'), 'ping'],
    ['neither is read, so neither can answer', unheard, 20_000, true, true, pressure(null, 'client'), 'ping'],
  ] as const) {
    const found = liveness.due(nowMs, isBusy, isPingTurn, flow);
    if (expected === null || expected === 'ping') t.equal(found, expected, name);
    else t.match(found, expected, name);
  }
  t.match(new Liveness({ ...LIFESPAN, expiresAtMs: Number.POSITIVE_INFINITY }, 0).due(100_000, true, false, FLOWING), {
    outcome: 'session_ended',
    toClient: { code: 1001 },
    problem: { code: 'session_ended' },
  });
});

test('idle time counts from the last message, or from the end of what was under way, and never earlier', async (t) => {
  const idle = { outcome: 'idle' };
  const look = (liveness: Liveness, nowMs: number, isBusy = false) => liveness.due(nowMs, isBusy, false, FLOWING);
  const speaking = new Liveness(LIFESPAN, 0);
  speaking.isClientActive = true; // at any moment up to the next check
  t.equal(look(speaking, 999), null);
  t.equal(look(speaking, 60_999), null);
  t.match(look(speaking, 61_000), idle);

  const spokenTo = new Liveness({ ...LIFESPAN, expiresAtMs: 1_000_000, endsAtMs: 1_000_000 }, 0);
  for (const [nowMs, isBusy] of [
    [80_000, true], // for longer than the idle limit
    [81_000, false], // ended at any moment up to here
    [141_000, false],
  ] as const) {
    t.equal(look(spokenTo, nowMs, isBusy), null, `${nowMs}`);
  }
  t.match(look(spokenTo, 141_001), idle);
});

test('what each side is told when a socket ends', async (t) => {
  const problem = new Problem('quota_exceeded', 'A sentence that is no code.');
  t.match(cutOff(problem, 1008), { toClient: { code: 1008, reason: 'quota_exceeded' }, outcome: 'quota_exceeded' });
  t.strictSame(closedByClient({ code: 1002, reason: 'x' }).toUpstream, { code: 1011, reason: 'x' });
  const closing = { code: 1003, reason: 'sk_car_key' };
  const told = closedByUpstream(closing, (text) => text.includes('key'));
  t.strictSame(told.toClient, { code: 1011, reason: '' }, 'no reason contains our key');
  t.strictSame(told.toUpstream, { code: 1003, reason: '' });
  const tooBig = { toClient: { code: 1009, reason: 'message too big' }, outcome: 'payload_too_large', by: 'broker' };
  t.match(brokenByClient(1009), { ...tooBig, problem: { code: 'payload_too_large', status: 413 } });
  for (const code of [1002, 1007, 1008]) {
    t.match(brokenByClient(code), { toClient: { code, reason: /./ }, problem: { code: 'invalid_request' } }, `${code}`);
  }
  t.match(brokenByUpstream(1002), { toClient: { code: 1011 }, toUpstream: { code: 1002 }, by: 'upstream' });
});

test('only what upstream calls a normal end is recorded as one', async (t) => {
  for (const [code, outcome] of [
    [null, 'ok'],
    [1000, 'ok'],
    [1008, 'upstream_rejected'],
    ...[1001, 1002, 1003, 1009, 1011, 1012, 1013, 3000, 4999].map((code) => [code, 'upstream_unavailable'] as const),
  ] as const) {
    t.match(
      closedByUpstream({ code, reason: '' }, () => false),
      { outcome, by: 'upstream' },
      `${code}`,
    );
  }
});
