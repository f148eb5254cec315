import { test } from 'tap';
import { call, simulatorFor } from '../call.ts';

/** Every endpoint that a broker must never let a client reach, with an id where the API needs one. */
const NEVER: readonly string[] = `
POST /access-token
POST /infill/bytes
POST /voice-changer/bytes
POST /voice-changer/sse
POST /voices/clone
PATCH /voices/x
DELETE /voices/x
POST /voices/localize
PATCH /voices/x/accents
DELETE /voices/x/accents/y
POST /voices/create
POST /voices/mix
GET /pronunciation-dicts/
POST /pronunciation-dicts/
GET /pronunciation-dicts/x
PATCH /pronunciation-dicts/x
DELETE /pronunciation-dicts/x
GET /datasets/
POST /datasets/
GET /datasets/x
PATCH /datasets/x
DELETE /datasets/x
GET /datasets/x/files
POST /datasets/x/files
DELETE /datasets/x/files/y
GET /files
POST /files
GET /files/x/info
GET /files/x/download
DELETE /files/x
GET /fine-tunes/
POST /fine-tunes/
GET /fine-tunes/x
DELETE /fine-tunes/x
GET /fine-tunes/x/voices
GET /agents
GET /agents/x
PATCH /agents/x
DELETE /agents/x
GET /agents/x/phone-numbers
GET /agents/x/deployments
GET /agents/deployments/x
POST /agents/x/metrics/y
DELETE /agents/x/metrics/y
GET /agents/calls
POST /agents/calls
GET /agents/calls/x
DELETE /agents/calls/x
POST /agents/calls/x/cancel
GET /agents/calls/x/audio
GET /agents/calls/batches
POST /agents/calls/batches
GET /agents/calls/batches/x
POST /agents/calls/batches/x/cancel
POST /agents/calls/batches/x/retry
GET /agents/phone-numbers
POST /agents/phone-numbers
GET /agents/phone-numbers/x
PATCH /agents/phone-numbers/x
DELETE /agents/phone-numbers/x
POST /agents/phone-numbers/provision
GET /agents/phone-numbers/providers
POST /agents/phone-numbers/providers
GET /agents/phone-numbers/providers/x
PATCH /agents/phone-numbers/providers/x
DELETE /agents/phone-numbers/providers/x
GET /agents/metrics
POST /agents/metrics
GET /agents/metrics/x
DELETE /agents/metrics/x
GET /agents/metrics/results
GET /agents/metrics/results/export
GET /v1/agents
POST /v1/agents
GET /v1/agents/x
PATCH /v1/agents/x
DELETE /v1/agents/x
GET /v1/agents/x/versions
GET /v1/agents/x/versions/y
GET /v1/agents/models
GET /v1/agents/tools
POST /v1/agents/tools
GET /v1/agents/tools/x
PATCH /v1/agents/tools/x
DELETE /v1/agents/tools/x
POST /v1/agents/websocket/x/sessions
`
  .trim()
  .split('\n');

const ADMIN: readonly string[] = [
  'GET /usage/credits',
  'GET /usage/agents',
  'GET /api-keys',
  'GET /api-keys/x',
  'GET /organizations/users',
  'GET /organizations/users/x',
  'DELETE /organizations/users/x',
  'GET /organizations/invites',
  'POST /organizations/invites',
  'GET /organizations/invites/x',
  'DELETE /organizations/invites/x',
];

function bodyOf(target: string): { readonly json?: unknown } {
  return /^(POST|PATCH)/.test(target) ? { json: {} } : {};
}

test('every management endpoint answers keys, and refuses tokens and requests without a credential', async (t) => {
  const simulator = await simulatorFor(t);
  const token = simulator.mintToken();
  for (const target of NEVER) {
    const statusAs = async (credential: string | null) =>
      (await call(simulator, target, { credential, ...bodyOf(target) })).status;
    const answer = await call(simulator, target, bodyOf(target));
    t.ok([200, 400, 404].includes(answer.status), `${target} ${answer.status}`);
    t.notMatch(answer.json, { message: 'There is no such endpoint.' }, `${target} is known`);
    t.equal(
      answer.status === 404,
      /\/[xy](\/|$)/.test(target) && !target.endsWith('/sessions'),
      `${target} ${answer.status}`,
    );
    t.strictSame([await statusAs(token), await statusAs(null)], [403, 401], target);
  }
});

test('admin endpoints require an admin key', async (t) => {
  const simulator = await simulatorFor(t);
  for (const target of ADMIN) {
    const answer = await call(simulator, target, { credential: 'sk_car_admin_simulated', ...bodyOf(target) });
    t.equal(answer.status, target.endsWith('/x') ? 404 : target.startsWith('POST') ? 201 : 200, target);
    t.equal((await call(simulator, target, bodyOf(target))).status, 403, `${target} with a standard key`);
  }
});

test('a missing resource is named by its kind', async (t) => {
  const simulator = await simulatorFor(t);
  const titleOf = async (target: string) => ((await call(simulator, target)).json as { title: string }).title;
  t.equal(await titleOf('GET /agents/calls/x'), 'Call not found');
  t.equal(await titleOf('GET /agents/calls/batches/x'), 'Batch not found');
  t.equal(await titleOf('GET /agents/phone-numbers/providers/x'), 'Provider not found');
  t.equal(await titleOf('GET /agents/phone-numbers/x'), 'Phone number not found');
  t.equal(await titleOf('GET /agents/x/deployments'), 'Agent not found');
  t.equal(await titleOf('GET /agents/deployments/x'), 'Deployment not found');
  t.equal(await titleOf('GET /v1/agents/tools/x'), 'Tool not found');
});

test('agent templates need no credential', async (t) => {
  const simulator = await simulatorFor(t);
  const answer = await call(simulator, 'GET /agents/templates', { credential: null });
  t.strictSame([answer.status, answer.json], [200, { templates: [] }]);
});

test('a plan without training is refused', async (t) => {
  const simulator = await simulatorFor(t, { plan: 'free' });
  const train = () => call(simulator, 'POST /fine-tunes/', { json: {} });
  t.match(await train(), { status: 403, json: { error_code: 'plan_upgrade_required' } });
  simulator.configure({ plan: 'scale' });
  t.equal((await train()).status, 200);
});

test('paths are matched exactly: case, slashes and prefixes count', async (t) => {
  const simulator = await simulatorFor(t);
  for (const target of [
    'GET /accents/',
    'GET /Voices',
    'GET //voices',
    'GET /datasets',
    'POST /tts/bytes/',
    'GET /tts/bytes',
    'PUT /voices/x',
  ]) {
    t.match(await call(simulator, target, bodyOf(target)), {
      status: 404,
      json: { message: 'There is no such endpoint.' },
    });
  }
});

test('an agent session gets its own token', async (t) => {
  const simulator = await simulatorFor(t);
  const target = 'POST /v1/agents/websocket/agent_1/sessions';
  const answer = await call(simulator, target, { json: { dynamic_variables: { name: 'Ada' } } });
  t.match(answer, { status: 200, json: { session_token: /^ast_/, expires_in: 300 } });
  t.equal((await call(simulator, target, { json: { dynamic_variables: [] } })).status, 400);
});

test('pages of any origin may call, after a preflight', async (t) => {
  const simulator = await simulatorFor(t);
  const asked = 'authorization,cartesia-version';
  const preflight = await call(simulator, 'OPTIONS /tts/bytes', {
    credential: null,
    headers: { origin: 'https://app.example', 'access-control-request-headers': asked },
  });
  t.equal(preflight.status, 204);
  t.equal(preflight.headers.get('access-control-allow-headers'), asked);
  t.equal((await call(simulator, 'GET /')).headers.get('access-control-allow-origin'), '*');
  simulator.configure({ cors: false });
  t.equal((await call(simulator, 'OPTIONS /tts/bytes')).status, 404);
  t.equal((await call(simulator, 'GET /')).headers.get('access-control-allow-origin'), null);
});
