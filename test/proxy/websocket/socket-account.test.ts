import { test } from 'tap';
import type { RelayEnd } from '../../../src/proxy/websocket/ending.ts';
import type { SocketUsage } from '../../../src/proxy/websocket/protocols/protocol.ts';
import { OPEN_GUARD, type SessionGuard } from '../../../src/proxy/websocket/session-guard.ts';
import { SocketAccount } from '../../../src/proxy/websocket/socket-account.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const NOTHING: SocketUsage = { characters: 0, audioBytes: 0, audioSeconds: 0, callSeconds: 0 };
const ENDPOINT = '/tts/websocket';
const LEFT: RelayEnd = { by: 'client', code: 1000, outcome: 'ok' };

function openAccount(traceId: string | null = null) {
  const state = { now: 1_000 };
  const lines: Record<string, unknown>[] = [];
  const told: Readonly<SocketUsage>[] = [];
  const ends: boolean[] = [];
  const guard: SessionGuard = {
    ...OPEN_GUARD,
    used: (usage) => void told.push(usage),
    end: (isOverUpstream) => void ends.push(isOverUpstream),
  };
  const metrics = createMetrics();
  const account = new SocketAccount(
    {
      logger: createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) }),
      metrics,
      subjectHash: (client, subject) => `hash of ${client} ${subject}`,
      now: () => state.now,
    },
    { requestId: 'r-1', traceId, client: 'web', subject: 'ann', endpoint: ENDPOINT },
    guard,
  );
  /** Values by the labels beside the client app and the endpoint. */
  const counted = async (counter: 'usage' | 'socketsOpen' | 'socketsClosed') => {
    const { values } = await metrics[counter].get();
    return Object.fromEntries(
      values.map(({ labels, value }) => {
        const { client, endpoint, ...others }: Record<string, unknown> = labels;
        if (client !== (counter === 'usage' ? 'web' : undefined) || endpoint !== ENDPOINT)
          throw new Error('for another');
        return [Object.values(others).join(), value];
      }),
    );
  };
  return { state, lines, told, ends, counted, account };
}

test('consumption is reported every five seconds, and earlier if it is much', async (t) => {
  const { state, told, account } = openAccount();
  const report = (ms: number, usage: Partial<SocketUsage>): readonly Readonly<SocketUsage>[] => {
    state.now += ms;
    account.used({ ...NOTHING, ...usage });
    return told.splice(0);
  };
  t.strictSame(report(4_999, { characters: 999, audioSeconds: 19.9 }), [], 'too little and too early');
  t.strictSame(report(1, { characters: 999, audioSeconds: 19.9 }), [
    { ...NOTHING, characters: 999, audioSeconds: 19.9 },
  ]);
  t.strictSame(report(1, { characters: 1_998, audioSeconds: 39.8 }), [], 'from then on it counts anew');
  t.strictSame(report(0, { characters: 1_999, audioSeconds: 39.8 }), [
    { ...NOTHING, characters: 1_000, audioSeconds: 39.8 - 19.9 },
  ]);
  t.strictSame(report(0, { characters: 1_999, audioSeconds: 59.8 }), [{ ...NOTHING, audioSeconds: 20 }], 'audio');
  t.strictSame(report(4_999, { characters: 1_999, audioSeconds: 60 }), [], 'the interval begins with each report');
  t.strictSame(report(1, { characters: 1_999, audioSeconds: 59.8 }), [], 'nothing new');
  const before = { characters: 1_999, audioSeconds: 59.8 };
  t.strictSame(report(5_000, { ...before, callSeconds: 0.5 }), [{ ...NOTHING, callSeconds: 0.5 }]);
  t.strictSame(report(5_000, { ...before, callSeconds: 5.5, audioBytes: 7 }), [
    { ...NOTHING, callSeconds: 5, audioBytes: 7 },
  ]);
});

test('an open socket is counted at once, and what it consumed when it is reported, each unit by itself', async (t) => {
  const { state, told, ends, counted, account } = openAccount();
  t.strictSame(await counted('socketsOpen'), { '': 1 });
  t.strictSame(await counted('usage'), { requests: 1 });
  state.now += 5_000;
  account.used({ characters: 3, audioBytes: 100, audioSeconds: 0.5, callSeconds: 0 });
  t.strictSame(await counted('usage'), { requests: 1, characters: 3, audio_bytes: 100, audio_seconds: 0.5 });
  const whole = { characters: 4, audioBytes: 300, audioSeconds: 1.5, callSeconds: 2 };
  account.ended({ ...LEFT, by: 'upstream' }, whole);
  t.strictSame(await counted('usage'), {
    requests: 1,
    characters: 4,
    audio_bytes: 300,
    audio_seconds: 1.5,
    call_seconds: 2,
  });
  t.strictSame(told.at(-1), { characters: 1, audioBytes: 200, audioSeconds: 1, callSeconds: 2 });
  t.equal(told.length, 2);
  t.strictSame(ends, [true], 'upstream knows that it is over');
  t.strictSame(await counted('socketsOpen'), { '': 0 });
  t.strictSame(await counted('socketsClosed'), { ok: 1 });
});

test('the limits hear once of a socket that consumed nothing', async (t) => {
  const { state, told, ends, lines, account } = openAccount();
  state.now += 60_000;
  account.used(NOTHING);
  t.strictSame(told, []);
  account.ended(LEFT, NOTHING);
  t.strictSame(told, [NOTHING]);
  t.strictSame(ends, [false], 'upstream has yet to notice');
  t.notOk('call_seconds' in (lines[0] ?? {}), 'only a call has seconds of a call');
});

test('a line says what a socket consumed, how long it was open and who closed it', async (t) => {
  const { state, lines, account } = openAccount();
  state.now += 1_234.6;
  account.ended(
    { by: 'broker', code: 1008, outcome: 'quota_exceeded' },
    { characters: 5, audioBytes: 6, audioSeconds: 1.23456, callSeconds: 0.00051 },
  );
  const { time: _, ...line } = lines[0] ?? {};
  t.strictSame(line, {
    level: 'info',
    audit: 'usage',
    request_id: 'r-1',
    route: ENDPOINT,
    client: 'web',
    subject: 'hash of web ann',
    outcome: 'quota_exceeded',
    close_code: 1008,
    closed_by: 'broker',
    ms: 1_235,
    characters: 5,
    audio_bytes: 6,
    audio_seconds: 1.235,
    call_seconds: 0.001,
    msg: 'socket closed',
  });
});

test('the line has the trace that the client named', async (t) => {
  const { lines, account } = openAccount('f00');
  account.ended(LEFT, NOTHING);
  t.match(lines[0], { request_id: 'r-1', trace_id: 'f00' });
});
