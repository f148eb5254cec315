import { test } from 'tap';
import type { Simulator } from '../../../src/simulator/simulator.ts';
import { call, simulatorFor } from '../call.ts';
import { connect, type Message, type SocketClient } from './socket-client.ts';
import { heardIn, S16_16K, spoken } from './speech.ts';

const PATH = '/v1/agents/websocket/agent_1';
const CREATE = { type: 'session_create', audio: { input_format: 'pcm_16000', output_delivery: 'as_available' } };

const audioIn = (messages: readonly Message[]) =>
  heardIn(
    messages.filter(({ type }) => type === 'audio_output').map(({ audio }) => audio),
    S16_16K,
  );
const say = (client: SocketClient, text: string) => {
  for (const frame of spoken(text, 0.8))
    client.send({ type: 'audio_input', audio: Buffer.from(frame).toString('base64') });
};

test('a call starts with ready and introduction, and has a turn for the user and one for the answer', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  client.send(CREATE);
  const { call_id: callId, ...ready } = await client.next();
  t.match(callId, /^ac_/);
  t.same(ready, {
    type: 'session_ready',
    agent_id: 'agent_1',
    agent_version_id: 'agent_version_agent_1',
    audio: { input_format: 'pcm_16000', output_delivery: 'as_available' },
  });
  const introduction = await client.until('turn_ended');
  t.same(Object.keys(introduction[0] ?? {}), ['type', 'turn', 'role', 'start_time']);
  t.match(introduction[0], { type: 'turn_started', turn: 1, role: 'assistant' });
  t.equal(audioIn(introduction), 'Hello, how can I help?');
  const deltas = introduction.filter(({ type }) => type === 'turn_output_text_delta');
  t.equal(deltas.map(({ text }) => text).join(''), 'Hello, how can I help?');
  t.match(introduction.at(-1), {
    turn: 1,
    role: 'assistant',
    text: 'Hello, how can I help?',
    interrupted: false,
  });
  t.strictSame(introduction.at(-1)?.['tool_calls'], []);

  say(client, 'Good morning');
  t.match(await client.next(), { type: 'turn_started', turn: 2, role: 'user' });
  const ended = await client.next();
  t.match(ended, {
    type: 'turn_ended',
    turn: 2,
    role: 'user',
    text: 'Good morning',
    interrupted: false,
  });
  t.strictSame(ended['tool_calls'], []);
  t.type(ended['eager_end_timestamp'], 'number');
  t.equal(audioIn(await client.until('turn_ended')), 'You said: Good morning');
  client.socket.close();
  await simulator.journal.waitFor({ path: PATH });
  t.equal(simulator.counters().agents.active, 0);
});

test('at speaking pace a user can interrupt', async (t) => {
  const simulator = await simulatorFor(t, { settings: { agents: { introduction: 'I talk and talk. '.repeat(20) } } });
  const client = await connect(t, simulator, PATH);
  client.send({ ...CREATE, audio: { input_format: 'pcm_16000' } });
  await client.next('audio_output');
  say(client, 'Stop');
  await client.next('audio_output_clear');
  const rest = await client.until(({ type, role }) => type === 'turn_ended' && role === 'assistant');
  const cut = rest.at(-1) ?? {};
  t.equal(cut['interrupted'], true);
  t.ok(String(cut['text']).length < 100, 'only spoken text counts');
});

test('a key interrupts: the turn that it cuts short ends under its own number, before the next one starts', async (t) => {
  const simulator = await simulatorFor(t, { settings: { agents: { introduction: 'I talk and talk. '.repeat(20) } } });
  const client = await connect(t, simulator, PATH);
  client.send({ ...CREATE, audio: { input_format: 'pcm_16000' } });
  await client.next('turn_output_text_delta');
  client.send({ type: 'dtmf_input', digit: '5' });
  await client.next('turn_started');
  client.send({ type: 'dtmf_input', digit: '6' });
  await client.next('turn_started');
  t.match(
    client.messages.filter(({ type }) => ['turn_started', 'turn_ended', 'dtmf_output'].includes(String(type))),
    [
      { type: 'turn_started', turn: 1 },
      { type: 'turn_ended', turn: 1, interrupted: true },
      { type: 'dtmf_output', digit: '5' },
      { type: 'turn_started', turn: 2 },
      { type: 'turn_ended', turn: 2, interrupted: true },
      { type: 'dtmf_output', digit: '6' },
      { type: 'turn_started', turn: 3 },
    ],
  );
});

test('a user who speaks over a goodbye keeps the call', async (t) => {
  const simulator = await simulatorFor(t, { settings: { agents: { introduction: '' } } });
  const client = await connect(t, simulator, PATH);
  client.send({ ...CREATE, audio: { input_format: 'pcm_16000' } });
  await client.next('session_ready');
  say(client, 'goodbye');
  await client.until(({ type, role }) => type === 'turn_output_text_delta' && role === 'assistant');
  client.send({ type: 'dtmf_input', digit: '5' });
  t.match(await client.next(({ type, role }) => type === 'turn_ended' && role === 'assistant'), { interrupted: true });
  t.match(await client.next(({ type, role }) => type === 'turn_started' && role === 'assistant'), { turn: 3 });
});

test('talking can trigger keys, tools, a breakdown and the end of a call', async (t) => {
  const simulator = await simulatorFor(t, { plan: 'scale', settings: { agents: { introduction: '' } } });
  const client = await connect(t, simulator, PATH);
  client.send(CREATE);
  await client.next('session_ready');
  client.send({ type: 'dtmf_input', digit: '5' });
  t.same(await client.next(), { type: 'dtmf_output', digit: '5' });
  t.equal(audioIn(await client.until('turn_ended')), 'You pressed 5.');

  say(client, 'Please look me up');
  const toolCall = await client.next('client_tool_call');
  const { tool_call_id: id, ...rest } = toolCall;
  t.same(rest, {
    type: 'client_tool_call',
    tool_name: 'lookup_customer',
    parameters: { phone: '+15550100' },
    expects_response: true,
  });
  client.send({ type: 'client_tool_result', tool_call_id: id, result: 'Ada' });
  t.match((await client.until('turn_ended')).at(-1), {
    text: 'The tool says Ada',
    tool_calls: [{ name: 'lookup_customer', arguments: { phone: '+15550100' }, result: 'Ada', id }],
  });

  // A tool call that is never answered does not block the call.
  say(client, 'Please look me up');
  await client.next('client_tool_call');
  say(client, 'goodbye');
  await client.until(({ type, role }) => type === 'turn_started' && role === 'assistant');
  t.same(await client.closed, { code: 1000, reason: 'call ended by agent' });
  const { turn, text } = client.messages.findLast(({ type }) => type === 'turn_output_text_delta') ?? {};
  t.equal(text, 'Goodbye!');
  t.notOk(
    client.messages.some((message) => message['type'] === 'turn_ended' && message['turn'] === turn),
    'the turn with which the agent hangs up does not end',
  );

  const broken = await connect(t, simulator, PATH);
  broken.send(CREATE);
  say(broken, 'break down');
  t.match(await broken.next('error'), { code: 'agent_failed', fatal: true });
  t.equal((await broken.closed).code, 1011);
});

test('invalid events are ignored and reported, and the call continues', async (t) => {
  const simulator = await simulatorFor(t, { settings: { agents: { introduction: '' } } });
  const client = await connect(t, simulator, PATH);
  const bad: readonly (object | string | Uint8Array)[] = [
    'no json',
    Buffer.from('binary'),
    { type: 'unknown' },
    { type: 'session_create' },
    { ...CREATE, extra: 1 },
    { ...CREATE, audio: { input_format: 'mp3' } },
    { ...CREATE, audio: { input_format: 'pcm_16000', output_delivery: 'x' } },
    { ...CREATE, audio: { input_format: 'pcm_16000', more: 1 } },
    { type: 'audio_input' },
    { type: 'dtmf_input', digit: 'A' },
    { type: 'dtmf_input', digit: '11' },
    { type: 'client_tool_result', tool_call_id: 'x', result: 'x' },
    { type: 'client_tool_result', tool_call_id: 'x'.repeat(257), result: 'x' },
    { type: 'client_tool_result', tool_call_id: 'x', result: 'x'.repeat(4_097) },
    { type: 'client_tool_result', tool_call_id: 'x', result: 'x', error_type: 'x'.repeat(257) },
  ];
  for (const message of bad) {
    client.send(message);
    const { message: text, ...error } = await client.next();
    t.same(error, { type: 'error', code: 'invalid_event', fatal: false });
    t.type(text, 'string');
  }
  client.send({ type: 'audio_input', audio: 'AAAA' });
  client.send(CREATE);
  t.equal((await client.next())['type'], 'session_ready', 'audio before the session is dropped silently');
  client.send(CREATE);
  t.match(await client.next(), { code: 'invalid_event', fatal: false, message: /exists already/ });
});

test('the first message must arrive within ten seconds', async (t) => {
  const simulator = await simulatorFor(t);
  const client = await connect(t, simulator, PATH);
  client.send({ type: 'audio_input', audio: 'AAAA' });
  client.send({ type: 'x' });
  await client.next('error');
  simulator.clock.advance(10_000);
  t.match(await client.next(), { type: 'error', code: 'invalid_event', fatal: true });
  t.equal((await client.closed).code, 1008);
});

async function variablesAnswer(
  t: Parameters<typeof connect>[0],
  simulator: Simulator,
  variables: unknown,
  credential = simulator.apiKey,
): Promise<Message> {
  const client = await connect(t, simulator, PATH, { credential });
  client.send({ ...CREATE, ...(variables === undefined ? {} : { dynamic_variables: variables }) });
  const answer = await client.next();
  if (answer['fatal'] === true) t.equal((await client.closed).code, 1008);
  else client.socket.terminate();
  return answer;
}

test('dynamic variables need a key, must follow their rules, and must include the required ones', async (t) => {
  const simulator = await simulatorFor(t, {
    plan: 'scale',
    settings: { agents: { introduction: '', requiredVariables: ['customer_name'] } },
  });
  const good = { customer_name: 'Ada', visits: 3, vip: true };
  t.match(await variablesAnswer(t, simulator, good), { type: 'session_ready' });
  t.match(await variablesAnswer(t, simulator, undefined), { code: 'missing_dynamic_variables', fatal: true });
  t.match(await variablesAnswer(t, simulator, { visits: 3 }), {
    code: 'missing_dynamic_variables',
    message: /customer_name/,
  });
  const invalid = [
    Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`v${n}`, n])),
    { ['x'.repeat(65)]: 1 },
    { system__x: 1 },
    { secret__x: 1 },
    { customer_name: { first: 'Ada' } },
    { customer_name: null },
  ];
  for (const variables of invalid) {
    t.match(await variablesAnswer(t, simulator, variables), { code: 'invalid_dynamic_variables', fatal: true });
  }
  const token = simulator.mintToken();
  t.match(await variablesAnswer(t, simulator, good, token), { code: 'dynamic_variables_not_allowed', fatal: true });
});

test('a session token opens one call of its agent, with the settings fixed by the server', async (t) => {
  const simulator = await simulatorFor(t, {
    plan: 'scale',
    settings: { agents: { requiredVariables: ['customer_name'] } },
  });
  const create = async () => {
    const { json } = await call(simulator, `POST ${PATH}/sessions`, {
      json: { dynamic_variables: { customer_name: 'Ada' }, config_overrides: { initial_message: 'Hello Ada.' } },
    });
    return String((json as { session_token: string }).session_token);
  };
  const token = await create();
  const browser = { credential: null } as const;
  await t.rejects(connect(t, simulator, `/v1/agents/websocket/agent_2?access_token=${token}`, browser), /401/);
  const client = await connect(t, simulator, `${PATH}?access_token=${token}`, browser);
  client.send(CREATE);
  await client.next('session_ready');
  t.equal(audioIn(await client.until('turn_ended')), 'Hello Ada.');
  await t.rejects(connect(t, simulator, `${PATH}?access_token=${token}`, browser), /401/, 'only once');
  t.match(await variablesAnswer(t, simulator, { x: 1 }, await create()), { code: 'dynamic_variables_not_allowed' });
});

test('a session token outlives a refusal, and counts as a credential like the others', async (t) => {
  const simulator = await simulatorFor(t, { settings: { limits: { agents: 0 } } });
  const { json } = await call(simulator, `POST ${PATH}/sessions`, { json: {} });
  const token = String((json as { session_token: string }).session_token);
  const target = `${PATH}?access_token=${token}`;
  await t.rejects(connect(t, simulator, target, { credential: null }), /429/);
  simulator.configure({ limits: { agents: 5 } });
  await t.rejects(connect(t, simulator, target), /400/, 'beside a key');
  const client = await connect(t, simulator, PATH, { credential: null, headers: { 'x-api-key': token } });
  client.send(CREATE);
  t.match(await client.next(), { type: 'session_ready' });
});
