// What comes before a close frame: nothing of ours if Cartesia has said it all, an error for each reader that would wait for ever.
import { type Test, test } from 'tap';
import { makeCloseFrame, makeTextFrame } from '../../src/proxy/websocket/frames/frame.ts';
import { spoken } from '../simulator/sockets/speech.ts';
import { frameOf, openRawSocket, type RawSocket } from './raw-socket.ts';
import { logged, STT_PATH, speech, startSocketBroker } from './socket-broker.ts';
import { startRawUpstream, switching } from './socket-upstream.ts';

const TURNS_PATH = STT_PATH.replace('/stt/', '/stt/turns/');
const MANAGED_PATH = '/v1/agents/websocket/agent_a';
const LINE_PATH = '/agents/stream/agent_a';
const LONG = 'A sentence with more than one chunk, so that it stays unfinished.';

type Event = Readonly<Record<string, unknown>>;

/** All events up to the close frame, and its code and reason. */
async function lastWords(socket: RawSocket): Promise<{ events: Event[]; code: number; reason: string }> {
  const events: Event[] = [];
  for (;;) {
    const { opcode, payload } = await socket.frame(6000);
    if (opcode === 1) events.push(JSON.parse(payload.toString('utf8')));
    if (opcode === 8) return { events, code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
  }
}

const binary = (frames: readonly Uint8Array[]): Buffer[] => frames.map((frame) => frameOf(2, Buffer.from(frame)));

test('a transcription or a call that ends normally ends with what Cartesia said, and nothing else', async (t) => {
  const { broker, headers } = await startSocketBroker(t, { simulator: { plan: 'scale' } });
  const open = (path: string): Promise<RawSocket> => openRawSocket(t, broker.url, path, headers);
  const endings: readonly [string, string, readonly Buffer[], RegExp][] = [
    ['close', STT_PATH, [...binary(spoken('Hello.')), frameOf(1, 'close')], /^(transcript|flush_done|done)$/],
    ['done', STT_PATH, [...binary(spoken('Hello.')), frameOf(1, 'done')], /^(transcript|flush_done|done)$/],
    ['turns', TURNS_PATH, [...binary(spoken('Hi.', 1)), frameOf(1, '{"type":"close"}')], /^(connected|turn\.\w+)$/],
  ];
  for (const [name, path, frames, types] of endings) {
    const socket = await open(path);
    socket.send(...frames);
    const { events, code } = await lastWords(socket);
    t.equal(code, 1000, name);
    t.ok(events.length > 1, name);
    for (const event of events) t.match(event['type'], types, name);
  }

  const call = await open(MANAGED_PATH);
  call.send(frameOf(1, JSON.stringify({ type: 'session_create', audio: { input_format: 'pcm_16000' } })));
  t.match(await call.event(), { type: 'session_ready' });
  while ((await call.event(4000))['type'] !== 'turn_ended');
  for (const audio of spoken('hang up', 1)) {
    call.send(frameOf(1, JSON.stringify({ type: 'audio_input', audio: Buffer.from(audio).toString('base64') })));
  }
  const { events, code } = await lastWords(call);
  t.equal(code, 1000);
  t.strictSame(
    events.filter(({ type }) => type === 'error'),
    [],
    'an agent that hangs up is not an error',
  );
});

/** A Cartesia that refuses: it sends a text, if any, then closes. */
function saying(t: Test, text: () => string | null, code: () => number): Promise<string> {
  return startRawUpstream(t, (socket, accept) => {
    const said = text();
    const event = said === null ? Buffer.alloc(0) : makeTextFrame(said, false);
    const bytes = Buffer.concat([Buffer.from(switching(accept), 'latin1'), event]);
    socket.write(Buffer.concat([bytes, makeCloseFrame(code(), 'its own reason', false)]));
  });
}

test('a refusal by Cartesia arrives once, in its own words', async (t) => {
  let text: string | null = null;
  let code = 1008;
  const url = await saying(
    t,
    () => text,
    () => code,
  );
  const { broker, headers } = await startSocketBroker(t, { env: { CARTESIA_BASE_URL: url } });
  const error = {
    type: 'error',
    status_code: 400,
    error_code: 'model_not_found',
    title: 'No',
    message: 'No such model.',
  };
  for (const path of [STT_PATH, TURNS_PATH]) {
    text = JSON.stringify(error);
    code = 1008;
    const socket = await openRawSocket(t, broker.url, path, headers);
    const last = await lastWords(socket);
    t.match(last, { events: [{ ...error, source: 'upstream' }], code: 1008, reason: 'its own reason' });
    t.equal(last.events.length, 1, path);
  }
  text = JSON.stringify({ type: 'error', code: 'agent_failed', message: 'It broke.', fatal: true });
  code = 1011;
  const call = await openRawSocket(t, broker.url, MANAGED_PATH, headers);
  t.strictSame(await lastWords(call), { events: [JSON.parse(text)], code: 1011, reason: 'its own reason' });
  for (const path of [STT_PATH, TURNS_PATH, MANAGED_PATH, LINE_PATH, '/tts/websocket']) {
    text = null;
    code = 1013;
    const socket = await openRawSocket(t, broker.url, path, headers);
    t.strictSame(await lastWords(socket), { events: [], code: 1013, reason: 'its own reason' }, path);
  }
});

test('Cartesia closes a speech socket: every open context is told, whatever the code', async (t) => {
  for (const [code, outcome] of [
    [1000, 'ok'],
    [1008, 'upstream_rejected'],
    [1011, 'upstream_unavailable'],
  ] as const) {
    const running = await startSocketBroker(t, { simulator: { settings: { latency: { perChunkMs: 60_000 } } } });
    const { broker, headers, simulator } = running;
    simulator.faults.add({ match: {}, times: 1, action: { type: 'close_socket', code, afterFrames: 2 } });
    const socket = await openRawSocket(t, broker.url, '/tts/websocket', headers);
    socket.send(frameOf(1, speech('a', LONG)), frameOf(1, speech('b', LONG)));
    const { events, code: told } = await lastWords(socket);
    t.equal(told, code);
    const errors = events.filter(({ type }) => type === 'error');
    for (const error of errors) t.match(error, { done: true, status_code: 502, error_code: 'upstream_unavailable' });
    t.strictSame(errors.map((event) => event['context_id']).sort(), ['a', 'b']);
    t.match(await logged(running, ({ msg }) => msg === 'socket closed'), { outcome, close_code: code });
    const metrics = await broker.metrics.registry.metrics();
    t.match(metrics, `broker_sockets_closed_total{endpoint="/tts/websocket",outcome="${outcome}"} 1`);
  }
});

test('a client that breaks the protocol: each of its readers gets an error in the form of that socket', async (t) => {
  const { broker, headers } = await startSocketBroker(t, {
    simulator: { plan: 'scale', settings: { latency: { perChunkMs: 60_000 } } },
  });
  const fragments = Array.from({ length: 130 }, () => frameOf(0, 'a', { isFinal: false }));
  const violations: readonly [number, readonly Buffer[], string, number][] = [
    [1002, [frameOf(3)], 'invalid_request', 400],
    [1007, [frameOf(1, Buffer.from([0xff]))], 'invalid_request', 400],
    [1008, [frameOf(1, 'a', { isFinal: false }), ...fragments], 'invalid_request', 400],
    [1009, [frameOf(1, '', { length: 256 * 1024 + 1 })], 'payload_too_large', 413],
  ];
  for (const [code, frames, errorCode, status] of violations) {
    const error = { type: 'error', status_code: status, error_code: errorCode, source: 'broker' };
    const speaking = await openRawSocket(t, broker.url, '/tts/websocket', headers);
    speaking.send(frameOf(1, speech('a', LONG)));
    t.match(await speaking.event(), { type: 'chunk' });
    speaking.send(...frames);
    const { events, code: told } = await lastWords(speaking);
    t.equal(told, code);
    t.match(events, [{ ...error, done: true, context_id: 'a' }], `${code}`);

    const listening = await openRawSocket(t, broker.url, STT_PATH, headers);
    listening.send(...frames);
    t.match(await lastWords(listening), { code, events: [error] });
    const call = await openRawSocket(t, broker.url, MANAGED_PATH, headers);
    call.send(...frames);
    t.match(await lastWords(call), { code, events: [{ type: 'error', code: errorCode, fatal: true }] });
  }
});
