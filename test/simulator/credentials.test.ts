import { test } from 'tap';
import { call, generation, simulatorFor } from './call.ts';

test('a key is accepted in either header, in any case', async (t) => {
  const simulator = await simulatorFor(t, { apiKeys: ['sk_car_one', 'sk_car_two.secret'] });
  const headers: readonly Record<string, string>[] = [
    { authorization: 'Bearer sk_car_one' },
    { Authorization: 'bearer sk_car_two.secret' },
    { 'X-API-Key': 'sk_car_one' },
    { 'x-api-key': 'sk_car_two.secret' },
    { authorization: 'Bearer sk_car_one', 'x-api-key': 'sk_car_one' },
  ];
  for (const header of headers) {
    const answer = await call(simulator, 'GET /voices', { credential: null, headers: header });
    t.equal(answer.status, 200, JSON.stringify(header));
  }
});

test('a credential in the query, in another scheme or with an unknown key is refused', async (t) => {
  const simulator = await simulatorFor(t);
  const cases: readonly [target: string, headers: Record<string, string>][] = [
    ['GET /voices?api_key=sk_car_simulated', {}],
    [`GET /voices?access_token=${simulator.mintToken()}`, {}],
    ['GET /voices', { authorization: 'Basic sk_car_simulated' }],
    ['GET /voices', { authorization: 'sk_car_simulated' }],
    ['GET /voices', { authorization: 'Bearer ' }],
    ['GET /voices', { authorization: 'Bearer sk_car_simulate' }],
    ['GET /voices', { 'x-api-key': '' }],
  ];
  for (const [target, headers] of cases) {
    t.equal(
      (await call(simulator, target, { credential: null, headers })).status,
      401,
      `${target} ${JSON.stringify(headers)}`,
    );
  }
});

test('two different credentials are refused, or the first is used, depending on a setting', async (t) => {
  const simulator = await simulatorFor(t);
  const headers = { 'x-api-key': simulator.apiKey };
  const both = () =>
    call(simulator, 'POST /tts/bytes', { credential: simulator.mintToken(), headers, json: generation() });
  t.equal((await both()).status, 400);
  simulator.configure({ credentials: { several: 'first' } });
  t.equal((await both()).status, 200);
});

test('admin keys and standard keys are not interchangeable', async (t) => {
  const simulator = await simulatorFor(t);
  const admin = { credential: 'sk_car_admin_simulated' };
  t.equal((await call(simulator, 'GET /organizations/users', admin)).status, 200);
  t.equal((await call(simulator, 'GET /organizations/users')).status, 403);
  t.equal((await call(simulator, 'GET /voices', admin)).status, 403);
  t.equal((await call(simulator, 'POST /tts/bytes', { ...admin, json: generation() })).status, 403);
});

test('a key withdrawn at run time is no longer accepted', async (t) => {
  const simulator = await simulatorFor(t);
  t.equal((await call(simulator, 'GET /voices')).status, 200);
  simulator.settings.apiKeys = ['sk_car_next'];
  t.equal((await call(simulator, 'GET /voices')).status, 401);
  t.equal((await call(simulator, 'GET /voices', { credential: 'sk_car_next' })).status, 200);
});

test('the status of the simulator needs no credential', async (t) => {
  const simulator = await simulatorFor(t);
  const answer = await call(simulator, 'GET /', { credential: null, version: null });
  t.equal(answer.status, 200);
  t.strictSame(answer.json, { ok: true, version: '2026-08-14' });
});
