import { test } from 'tap';
import { defaultSettings, PLAN_LIMITS, PLANS } from '../../src/simulator/settings.ts';
import { configure, SettingsError } from '../../src/simulator/settings-patch.ts';

test('each plan has the published limits, and ten sockets per generation', async (t) => {
  t.strictSame(
    PLANS.map((plan) => [plan, PLAN_LIMITS[plan].tts, PLAN_LIMITS[plan].stt]),
    [
      ['free', 2, 8],
      ['pro', 3, 12],
      ['startup', 5, 20],
      ['scale', 15, 60],
    ],
  );
  for (const plan of PLANS) t.equal(PLAN_LIMITS[plan].ttsSockets, PLAN_LIMITS[plan].tts * 10);
});

test('a plan sets its limits, and a limit in the same patch takes precedence', async (t) => {
  const settings = defaultSettings('free');
  configure(settings, { plan: 'scale', limits: { stt: 7 } });
  t.strictSame(settings.limits, { tts: 15, stt: 7, agents: 10, ttsSockets: 150 });
  t.equal(settings.plan, 'scale');
});

test('a patch changes what it names and nothing else', async (t) => {
  const settings = defaultSettings();
  configure(settings, { latency: { firstByteMs: 90 }, credits: 10, apiKeys: ['sk_car_a', 'sk_car_b'] });
  const expected = defaultSettings();
  expected.latency.firstByteMs = 90;
  expected.credits = 10;
  expected.apiKeys = ['sk_car_a', 'sk_car_b'];
  t.strictSame(settings, expected);
  configure(settings, { credits: null });
  t.equal(settings.credits, null);
});

test('a patch also reaches those that hold a part of the settings', async (t) => {
  const settings = defaultSettings();
  const { limits, idle, tokens } = settings;
  const { grantsWhenOmitted } = tokens;
  configure(settings, { plan: 'free', idle: { ttsMs: 5 }, tokens: { grantsWhenOmitted: { tts: true } } });
  t.strictSame([limits.tts, idle.ttsMs, grantsWhenOmitted.tts], [2, 5, true]);
});

test('simulators do not share settings', async (t) => {
  const first = defaultSettings();
  first.limits.tts = 0;
  first.apiKeys.push('sk_car_other');
  t.equal(defaultSettings().limits.tts, 5);
  t.strictSame(defaultSettings().apiKeys, ['sk_car_simulated']);
});

test('an invalid patch is refused as a whole and names the fault', async (t) => {
  const cases: readonly [patch: unknown, message: string][] = [
    [null, 'settings must be an object'],
    [[], 'settings must be an object'],
    [{ plan: 'gold' }, 'plan must be one of free, pro, startup, scale'],
    [{ latencies: {} }, 'unknown setting: latencies'],
    [{ latency: { lastByteMs: 1 } }, 'unknown setting: latency.lastByteMs'],
    [{ latency: { firstByteMs: 'soon' } }, 'latency.firstByteMs must be a number'],
    [{ latency: { firstByteMs: -1 } }, 'latency.firstByteMs must not be negative'],
    [{ latency: { mintMs: 2 ** 31 } }, 'latency.mintMs must be at most 2147483647'],
    [{ limits: 3 }, 'limits must be an object'],
    [{ limits: null }, 'limits must be an object'],
    [{ latency: [] }, 'latency must be an object'],
    [{ chunkBytes: 0 }, 'chunkBytes must be at least 4'],
    [{ chunkBytes: 3 }, 'chunkBytes must be at least 4'],
    [{ sizes: { messageBytes: 0 } }, 'sizes.messageBytes must be at least 1'],
    [{ errorStatuses: { not_found: 0 } }, 'errorStatuses.not_found must be a status from 400 to 599'],
    [{ errorStatuses: { not_found: 404.5 } }, 'errorStatuses.not_found must be a status from 400 to 599'],
    [{ errorStatuses: { not_found: 700 } }, 'errorStatuses.not_found must be a status from 400 to 599'],
    [{ credits: 'many' }, 'credits must be a number'],
    [{ apiKeys: 'sk_car_a' }, 'apiKeys must be a list of strings'],
    [{ sse: { framing: 'xml' } }, 'sse.framing must be one of data, error_event, event'],
    [{ toString: 1 }, 'unknown setting: toString'],
    [JSON.parse('{"__proto__":{"plan":"free"}}'), 'unknown setting: __proto__'],
  ];
  for (const [patch, message] of cases) {
    const settings = defaultSettings();
    t.throws(() => configure(settings, patch), new SettingsError(message), message);
    t.strictSame(settings, defaultSettings(), `nothing changed: ${message}`);
  }
  const settings = defaultSettings();
  t.throws(() => configure(settings, { credits: 5, sse: { framing: 'xml' } }), SettingsError);
  t.equal(settings.credits, null, 'the valid part is not applied either');
});
