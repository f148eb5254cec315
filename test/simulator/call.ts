// Sends the simulator plain requests with a key and a version.

import type { Test } from 'tap';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';

export const VOICE = 'a0e99841-438c-4a64-b679-ae501e7d6091';

/** A simulator that stops with its test. */
export async function simulatorFor(t: Test, options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ tlsPort: null, ...options });
  t.teardown(() => simulator.close());
  return simulator;
}

export interface CallOptions {
  /** A key or token for `Authorization: Bearer`; null = no credential. Default: the simulator's key. */
  readonly credential?: string | null;
  /** `Cartesia-Version`; null = none. Default: the newest. */
  readonly version?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: string | FormData | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON; undefined if it is not JSON. */
  readonly json: unknown;
}

/** Sends one request and reads its whole response. */
export async function call(simulator: Simulator, target: string, options: CallOptions = {}): Promise<Answer> {
  const response = await open(simulator, target, options);
  const bytes = Buffer.from(await response.arrayBuffer());
  const text = bytes.toString('utf8');
  return { status: response.status, headers: response.headers, bytes, text, json: jsonOf(text) };
}

/** Sends one request and resolves once the response headers arrive. `target`: `METHOD /path`. */
export function open(simulator: Simulator, target: string, options: CallOptions = {}): Promise<Response> {
  const { credential = simulator.apiKey, version = '2026-08-14', json, signal } = options;
  const [method = 'GET', path = '/'] = target.split(' ');
  const body = json === undefined ? options.body : JSON.stringify(json);
  return fetch(`${simulator.url}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(credential === null ? {} : { authorization: `Bearer ${credential}` }),
      ...(version === null ? {} : { 'cartesia-version': version }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(body === undefined ? {} : { body, duplex: 'half' }),
    ...(signal === undefined ? {} : { signal }),
  });
}

/** A valid request for speech; a field that is undefined is left out. */
export function generation(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    model_id: 'sonic-3.6',
    transcript: 'Hello there.',
    voice: { id: VOICE },
    output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 },
    language: 'en',
    ...changes,
  };
}

/** Speech synthesized by the simulator, as a WAV file. */
export async function recording(simulator: Simulator, transcript: string): Promise<Buffer<ArrayBuffer>> {
  const output_format = { container: 'wav', encoding: 'pcm_s16le', sample_rate: 16_000 };
  const answer = await call(simulator, 'POST /tts/bytes', { json: generation({ transcript, output_format }) });
  if (answer.status !== 200) throw new Error(`no recording: ${answer.text}`);
  return Buffer.from(answer.bytes);
}

/** A form; byte values become files. */
export function form(fields: Readonly<Record<string, string | Uint8Array<ArrayBuffer> | readonly string[]>>): FormData {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') data.append(name, value);
    else if (value instanceof Uint8Array) data.append(name, new Blob([value]), 'audio.bin');
    else for (const item of value) data.append(name, item);
  }
  return data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
