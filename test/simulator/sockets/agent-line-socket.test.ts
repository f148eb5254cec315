import { test } from 'tap';
import { simulatorFor, VOICE } from '../call.ts';
import { connect, type Message, type SocketClient } from './socket-client.ts';
import { heardIn, S16_16K, spoken } from './speech.ts';

const PATH = '/agents/stream/agent_1';
const START = { event: 'start', stream_id: 's1', config: { input_format: 'pcm_16000' } };

const audioIn = (messages: readonly Message[], format = S16_16K) =>
  heardIn(
    messages.filter(({ event }) => event === 'media_output').map(({ media }) => (media as { payload: string }).payload),
    format,
  );
const say = (client: SocketClient, text: string) => {
  for (const frame of spoken(text, 0.8)) {
    client.send({ event: 'media_input', stream_id: 's1', media: { payload: Buffer.from(frame).toString('base64') } });
  }
};
/** Reads audio until the agent has said the text. */
const hear = async (client: SocketClient, text: string, format = S16_16K) => {
  const heard: Message[] = [];
  while (!audioIn(heard, format).endsWith(text)) heard.push(...(await client.until('media_output')));
  return heard;
};

test('a call starts with ack and introduction, and the agent answers the user', async (t) => {
  const simulator = await simulatorFor(t, { settings: { agents: { introduction: 'Hi.' } } });
  const client = await connect(t, simulator, PATH, { version: '2025-04-16' });
  client.send(START);
  t.same(await client.next(), {
    event: 'ack',
    stream_id: 's1',
    config: { input_format: 'pcm_16000', voice_id: VOICE },
  });
  const heard = await hear(client, 'Hi.');
  t.same(Object.keys(heard[0] ?? {}), ['event', 'stream_id', 'media']);
  say(client, 'Hey');
  await hear(client, 'You said: Hey');
  t.equal(simulator.counters().agents.active, 1);
});

test('the client may override voice and introduction, and choose any format', async (t) => {
  const simulator = await simulatorFor(t, { plan: 'scale' });
  const formats = {
    mulaw_8000: { encoding: 'pcm_mulaw', sampleRate: 8_000 },
    pcm_16000: { encoding: 'pcm_s16le', sampleRate: 16_000 },
    pcm_24000: { encoding: 'pcm_s16le', sampleRate: 24_000 },
    pcm_44100: { encoding: 'pcm_s16le', sampleRate: 44_100 },
  } as const;
  for (const [input_format, format] of Object.entries(formats)) {
    const client = await connect(t, simulator, PATH);
    const agent = { system_prompt: 'Be brief.', introduction: 'Yes?' };
    client.send({ event: 'start', config: { input_format, voice_id: 'mine' }, agent, metadata: { to: 'x' } });
    const { stream_id: streamId, ...ack } = await client.next();
    t.type(streamId, 'string');
    t.same(ack, { event: 'ack', config: { input_format, voice_id: 'mine' }, agent });
    await hear(client, 'Yes?', format);
  }
});

test('interruptions, keys, custom events, transfers and both ways to hang up work', async (t) => {
  const simulator = await simulatorFor(t, { settings: { agents: { introduction: 'I talk and talk. '.repeat(20) } } });
  const client = await connect(t, simulator, PATH);
  client.send(START);
  await client.next('media_output');
  say(client, 'press 7');
  t.same(await client.next('clear'), { event: 'clear', stream_id: 's1' });
  t.same(await client.next('dtmf'), { event: 'dtmf', stream_id: 's1', dtmf: '7' });
  client.send({ event: 'dtmf', stream_id: 's1', dtmf: '1' });
  t.same(await client.next('dtmf'), { event: 'dtmf', stream_id: 's1', dtmf: '1' });
  client.send({ event: 'custom', stream_id: 's1', metadata: { k: 'v' } });
  t.same(await client.next('custom'), { event: 'custom', stream_id: 's1', metadata: { k: 'v' } });
  say(client, 'transfer me');
  t.same(await client.next('transfer_call'), {
    event: 'transfer_call',
    stream_id: 's1',
    transfer: { target_phone_number: '+15550101' },
  });
  say(client, 'goodbye');
  t.same(await client.closed, { code: 1000, reason: 'call ended by agent, reason: goodbye' });

  simulator.configure({ agents: { introduction: '' } });
  const other = await connect(t, simulator, PATH);
  other.send(START);
  say(other, 'hang up');
  t.same(await other.closed, { code: 1000, reason: 'call ended by agent' });
  const broken = await connect(t, simulator, PATH);
  broken.send(START);
  say(broken, 'break down');
  t.equal((await broken.closed).code, 1011);
  t.equal(simulator.counters().agents.active, 0);
});

test('the first message must be a start with a known format; invalid messages after it are ignored', async (t) => {
  const simulator = await simulatorFor(t, { settings: { agents: { introduction: '' } } });
  for (const first of [
    'no json',
    { event: 'dtmf', dtmf: '1' },
    { event: 'start' },
    { event: 'start', config: { input_format: 'x' } },
  ]) {
    const client = await connect(t, simulator, PATH);
    client.send(first);
    t.equal((await client.closed).code, 1008);
  }
  const client = await connect(t, simulator, PATH);
  client.send(START);
  await client.next('ack');
  for (const message of ['x', START, { event: 'media_input' }, { event: 'dtmf', dtmf: 'x' }, { event: 'custom' }, {}])
    client.send(message);
  client.send({ event: 'custom', metadata: {} });
  t.equal((await client.next())['event'], 'custom');
});
