import { pino } from 'pino';
import { test } from 'tap';
import type { SocketUsage } from '../../../src/proxy/websocket/protocols/protocol.ts';
import { OPEN_GUARD } from '../../../src/proxy/websocket/session-guard.ts';
import { SocketAccount } from '../../../src/proxy/websocket/socket-account.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

const NOTHING: SocketUsage = { characters: 0, audioBytes: 0, audioSeconds: 0, callSeconds: 0 };

function setUp() {
  const clock = { nowMs: 1_000 };
  const reported: SocketUsage[] = [];
  const ledger = {
    logger: pino({ enabled: false }),
    metrics: createMetrics(),
    subjectHash: () => 'hash',
    now: () => clock.nowMs,
  };
  const facts = { requestId: 'id', client: 'web', subject: 'ann', endpoint: '/stt/websocket' };
  const account = new SocketAccount(ledger, facts, { ...OPEN_GUARD, used: (usage) => reported.push({ ...usage }) });
  return { account, clock, reported };
}

for (const [unit, little, much] of [
  ['characters', 999, 1_000],
  ['audioSeconds', 19.5, 20],
] as const)
  test(`${unit}: much is reported at once, less every five seconds, each only once`, async (t) => {
    const { account, clock, reported } = setUp();
    const used = (amount: number, atMs: number): void => {
      clock.nowMs = 1_000 + atMs;
      account.used({ ...NOTHING, [unit]: amount });
    };
    used(little, 1_000);
    used(little, 4_999);
    t.strictSame(reported, []);
    used(little, 5_000);
    used(little + much, 6_000);
    used(2 * little + much, 10_999);
    const amounts = (): number[] => reported.map((usage) => usage[unit]);
    t.strictSame(amounts(), [little, much]);
    account.ended({ by: 'client', outcome: 'ok', code: 1000 }, { ...NOTHING, [unit]: 2 * little + much });
    t.strictSame(amounts(), [little, much, little]);
  });
