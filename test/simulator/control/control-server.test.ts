import { test } from 'tap';
import { CONTROL_API } from '../../../src/simulator/control/control-api.ts';
import type { Simulator } from '../../../src/simulator/simulator.ts';
import { call, generation, simulatorFor } from '../call.ts';

async function control(simulator: Simulator, target: string, json?: unknown, headers: Record<string, string> = {}) {
  const [method = 'GET', path = ''] = target.split(' ');
  const body = json === undefined ? {} : { body: typeof json === 'string' ? json : JSON.stringify(json) };
  const response = await fetch(`${simulator.controlUrl}${path}`, { method, headers, ...body });
  const text = await response.text();
  return { status: response.status, json: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

test('without a control port there is no control listener', async (t) => {
  t.equal((await simulatorFor(t)).controlUrl, null);
});

test('settings are read and changed', async (t) => {
  const simulator = await simulatorFor(t, { controlPort: 0 });
  t.match(await control(simulator, 'GET /settings'), { status: 200, json: { plan: 'startup', limits: { tts: 5 } } });
  const changed = await control(simulator, 'PUT /settings', { plan: 'free', latency: { mintMs: 3 }, credits: 7 });
  t.match(changed, { status: 200, json: { plan: 'free', limits: { tts: 2 }, latency: { mintMs: 3 }, credits: 7 } });
  t.equal(simulator.settings.limits.tts, 2);
  t.strictSame(await control(simulator, 'PUT /settings', { plan: 'gold' }), {
    status: 400,
    json: { error: 'plan must be one of free, pro, startup, scale' },
  });
});

test('faults are added, listed and removed', async (t) => {
  const simulator = await simulatorFor(t, { controlPort: 0 });
  const rule = { match: { path: '/' }, times: 2, action: { type: 'answer', status: 503, retryAfter: 1 } };
  t.strictSame(await control(simulator, 'POST /faults', rule), { status: 201, json: { id: 1 } });
  t.equal((await call(simulator, 'GET /')).status, 503);
  t.strictSame((await control(simulator, 'GET /faults')).json, [{ id: 1, rule, hits: 1 }]);
  t.equal((await control(simulator, 'DELETE /faults/1')).status, 204);
  t.equal((await control(simulator, 'DELETE /faults/1')).status, 404);
  t.equal((await call(simulator, 'GET /')).status, 200);
  await control(simulator, 'POST /faults', { action: { type: 'refuse' } });
  t.equal((await control(simulator, 'DELETE /faults')).status, 204);
  t.strictSame(simulator.faults.list(), []);
});

test('the journal and the counters are read and cleared', async (t) => {
  const simulator = await simulatorFor(t, { controlPort: 0 });
  await call(simulator, 'GET /');
  await call(simulator, 'POST /tts/bytes', { json: generation() });
  const { json } = await control(simulator, 'GET /journal?method=POST&path=/tts/bytes');
  t.match(json, [{ method: 'POST', path: '/tts/bytes', status: 200, outcome: 'completed' }]);
  t.equal((json as unknown[]).length, 1);
  t.match((await control(simulator, 'GET /counters')).json, {
    tts: { active: 0, highWater: 1, granted: 1 },
    creditsSpent: 12,
  });
  t.equal((await control(simulator, 'DELETE /journal')).status, 204);
  t.equal((await control(simulator, 'DELETE /counters')).status, 204);
  t.strictSame((await control(simulator, 'GET /journal')).json, []);
  t.match((await control(simulator, 'GET /counters')).json, { tts: { highWater: 0, granted: 0 }, creditsSpent: 0 });
});

test('the clock is advanced, and tokens are minted', async (t) => {
  const simulator = await simulatorFor(t, { controlPort: 0, now: () => 0 });
  const { json } = await control(simulator, 'POST /tokens', { grants: { tts: true }, seconds: 10 });
  const credential = (json as { token: string }).token;
  t.equal((await call(simulator, 'POST /tts/bytes', { credential, json: generation() })).status, 200);
  const moved = await control(simulator, 'POST /clock', { advanceMs: 10_000 });
  t.strictSame(moved, { status: 200, json: { now: '1970-01-01T00:00:10.000Z', offsetMs: 10_000 } });
  t.strictSame((await control(simulator, 'GET /clock')).json, moved.json);
  t.equal((await call(simulator, 'POST /tts/bytes', { credential, json: generation() })).status, 401);
});

test('an invalid request is answered with the reason', async (t) => {
  const simulator = await simulatorFor(t, { controlPort: 0 });
  t.strictSame(await control(simulator, 'PUT /settings', '{'), {
    status: 400,
    json: { error: 'the body is not JSON' },
  });
  t.strictSame(await control(simulator, 'GET /journal?pth=/x'), {
    status: 400,
    json: { error: 'unknown parameter: pth' },
  });
  t.strictSame(await control(simulator, 'POST /clock', { advanceMs: 1e17 }), {
    status: 400,
    json: { error: 'advanceMs must lead to a date' },
  });
  t.strictSame(await control(simulator, 'POST /clock', { advanceMs: 'far' }), {
    status: 400,
    json: { error: 'advanceMs must be a number' },
  });
  t.match(await control(simulator, 'POST /faults', { action: { type: 'explode' } }), {
    status: 400,
    json: { error: /^action.type must be one of refuse, hang, / },
  });
  t.strictSame(await control(simulator, 'GET /nothing'), {
    status: 404,
    json: { error: 'unknown control request', known: Object.keys(CONTROL_API) },
  });
});

test('a request from a web page is refused', async (t) => {
  const simulator = await simulatorFor(t, { controlPort: 0 });
  const answer = await control(simulator, 'DELETE /journal', undefined, { origin: 'https://evil.example' });
  t.equal(answer.status, 403);
});

test('a wish for a token that cannot be meant is refused', async (t) => {
  const simulator = await simulatorFor(t, { controlPort: 0 });
  const cases: readonly [wish: unknown, error: string][] = [
    [[], 'a wish for a token must be an object'],
    [{ ttl: 60 }, 'unknown field: ttl'],
    [{ seconds: '60' }, 'seconds must be a number'],
    [{ grants: ['tts'] }, 'grants must be an object'],
    [{ grants: { speech: true } }, 'unknown grant: speech'],
    [{ grants: { tts: 1 } }, 'grants.tts must be a boolean'],
  ];
  for (const [wish, error] of cases) {
    t.strictSame(await control(simulator, 'POST /tokens', wish), { status: 400, json: { error } });
  }
  t.equal((await control(simulator, 'POST /tokens')).status, 200, 'all grants, if nothing is wished for');
});
