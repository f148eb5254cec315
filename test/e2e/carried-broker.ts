// Starts a broker that carries Cartesia's paths, and sends requests through it.
import { randomBytes } from 'node:crypto';
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Config } from '../../src/config/config.ts';
import { type RunningBroker, type RunningBrokerOptions, startRunningBroker } from './running-broker.ts';

export const VOICE = '6ccbfb76-1fc6-48f7-b71d-91ac6298247b';

export const SPEECH = {
  model_id: 'sonic-3',
  transcript: 'The quick brown fox jumps over the lazy dog.',
  voice: { id: VOICE },
  output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 },
} as const;

export interface CarryingBroker extends RunningBroker {
  /** A proxied access token of `kiosk` with every grant that it may have. */
  readonly token: string;
}

/** How the broker talks to Cartesia. */
export type Transport = Config['upstream']['transport'];

export interface CarryingOptions extends Omit<RunningBrokerOptions, 'file'> {
  /** More settings of the client app `kiosk`. */
  readonly client?: Readonly<Record<string, unknown>>;
  /** More of the configuration file. */
  readonly file?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** By default the one in the configuration. */
  readonly transport?: Transport;
}

/** Like `startRunningBroker`, with a client app in proxied delivery that may speak, listen and read. */
export async function startCarrying(t: Test, options: CarryingOptions = {}): Promise<CarryingBroker> {
  const { env = {}, client = {}, file = {}, transport, ...more } = options;
  const secret = randomBytes(32).toString('base64url');
  const running = await startRunningBroker(t, {
    ...more,
    env: (simulator) => ({
      TOKEN_SIGNING_SECRET: secret,
      ...(typeof env === 'function' ? env(simulator) : env),
    }),
    file: (digest) => ({
      clients: {
        kiosk: {
          auth: { keys: [digest] },
          grants: ['tts', 'stt'],
          reads: true,
          delivery: 'proxied',
          limits: { mint: 'off' },
          ...client,
        },
      },
      ...file,
      ...(transport === undefined ? {} : { upstream: { transport, ...file['upstream'] } }),
    }),
  });
  running.watch.add({ name: 'signing secret', value: secret });
  return { ...running, token: await mintProxied(running.broker.url, running.appKey) };
}

/** A token with every grant that the app key may have. */
export async function mintProxied(url: string, appKey: string): Promise<string> {
  const answer = await send(`${url}/access-token`, { credential: appKey, json: {} });
  const { token, delivery } = JSON.parse(answer.body.toString()) as { token?: string; delivery?: string };
  if (token === undefined || delivery !== 'proxied') throw new Error(`no proxied token: ${answer.body.toString()}`);
  return token;
}

export interface SendOptions {
  /** Sent as a bearer token. */
  readonly credential?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array;
  readonly method?: string;
  readonly agent?: Agent;
  /** Ends the request. */
  readonly signal?: AbortSignal;
}

/** A response, and whether it is complete. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** `false` if the body broke off. */
  readonly isComplete: boolean;
  /** Milliseconds from the request to the end. */
  readonly ms: number;
}

/** Sends one request, on a connection of its own unless an agent is given. @throws if there is no response at all */
export async function send(url: string, options: SendOptions = {}): Promise<Answer> {
  const start = performance.now();
  const response = await open(url, options);
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve) => {
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', () => {}); // `complete` reports it
    response.on('close', resolve);
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    rawHeaders: response.rawHeaders,
    body: Buffer.concat(chunks),
    isComplete: response.complete,
    ms: performance.now() - start,
  };
}

/** Resolves with the response head; the caller reads or destroys the body. */
export function open(url: string, options: SendOptions = {}): Promise<IncomingMessage> {
  const isTls = url.startsWith('https:');
  const {
    credential,
    headers = {},
    json,
    agent = isTls ? new TlsAgent(TRUSTING) : new Agent({ keepAlive: false }),
  } = options;
  const body = json === undefined ? options.body : JSON.stringify(json);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = (isTls ? requestTls : request)(
    url,
    {
      method: options.method ?? (body === undefined ? 'GET' : 'POST'),
      agent,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      headers: {
        ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
    },
    resolve,
  );
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

/** The broker's certificate is made for the test. */
const TRUSTING = { rejectUnauthorized: false };

/** A recording: speech of the simulator as a WAV file. */
export async function spokenWav({ url, apiKey }: Pick<CarryingBroker['simulator'], 'url' | 'apiKey'>): Promise<Buffer> {
  const json = { ...SPEECH, output_format: { ...SPEECH.output_format, container: 'wav' } };
  return (await send(`${url}/tts/bytes`, { credential: apiKey, json })).body;
}

/** A form with a recording, and its media type. */
export function recordingForm(wav: Uint8Array, fields: Readonly<Record<string, string>> = { model: 'ink-whisper' }) {
  const boundary = `form-${randomBytes(8).toString('hex')}`;
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `${parts.join('')}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n`;
  return {
    body: Buffer.concat([Buffer.from(head), wav, Buffer.from(`\r\n--${boundary}--\r\n`)]),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  };
}

/** Usage according to the metrics, by unit. */
export async function usageOf(running: RunningBroker, endpoint: string): Promise<Record<string, number>> {
  const { values } = await running.broker.metrics.usage.get();
  return Object.fromEntries(
    values.filter(({ labels }) => labels.endpoint === endpoint).map(({ labels, value }) => [labels.unit, value]),
  );
}

/**
 * Waits until everything carried is over: no forwarding is open, and upstream has no more connections than are kept for the next request.
 * @throws after two seconds
 */
export async function untilQuiet(running: RunningBroker, keptConnections: number): Promise<void> {
  const deadline = performance.now() + 2000;
  for (;;) {
    const connections = running.simulator.counters().openConnections;
    if (running.broker.carried === 0 && connections <= keptConnections) return;
    if (performance.now() > deadline)
      throw new Error(`${running.broker.carried} forwardings and ${connections} connections are left`);
    await sleep(5);
  }
}

/** The log line of the newest request to a route; for a response that was cut, it comes once its connection has closed. */
export async function lineOf(running: RunningBroker, route: string): Promise<Record<string, unknown>> {
  const deadline = performance.now() + 2000;
  for (;;) {
    const line = running.logs.findLast((one) => one['msg'] === 'request' && one['route'] === route);
    if (line !== undefined) return line;
    if (performance.now() > deadline) throw new Error(`no log line for ${route}`);
    await sleep(5);
  }
}

/** @throws after five seconds */
export async function until<T>(look: () => T | null | undefined | false, what: string): Promise<T> {
  const deadline = performance.now() + 5000;
  for (;;) {
    const found = look();
    if (found !== null && found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`no ${what}`);
    await sleep(2);
  }
}
