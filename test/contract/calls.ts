// Calls of the contract: plain requests and sockets, without an SDK, so that it is seen what is on the wire.
import type { Test } from 'tap';
import { WebSocket } from 'ws';
import type { Place } from './places.ts';

/** With structured errors, and the last with legacy ones. */
export const VERSION = '2026-03-01';
export const LEGACY = '2025-04-16';

export const TEXT = 'The quick brown fox jumps over the lazy dog.';
export const RAW = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 } as const;
/** Of {@link RAW}. */
export const BYTES_PER_SECOND = 32_000;

export interface CallOptions {
  readonly method?: string;
  readonly version?: string;
  readonly credential?: string;
  readonly json?: unknown;
  readonly form?: FormData;
}

export function call({ url, credential }: Pick<Place, 'url' | 'credential'>, path: string, options: CallOptions = {}) {
  const { json, form, version = VERSION } = options;
  const body = json === undefined ? form : JSON.stringify(json);
  return fetch(`${url}${path}`, {
    method: options.method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      authorization: `Bearer ${options.credential ?? credential}`,
      'cartesia-version': version,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  });
}

/** A voice that the account can use. */
export async function voiceAt(place: Place): Promise<string> {
  const { data } = (await (await call(place, '/voices?limit=1')).json()) as { data: readonly { id: string }[] };
  const [voice] = data;
  if (voice === undefined) throw new Error('the account has no voice');
  return voice.id;
}

/** A request for speech. */
export async function generationAt(place: Place, changes: Readonly<Record<string, unknown>> = {}) {
  const voice = { mode: 'id', id: await voiceAt(place) };
  return { model_id: 'sonic-3', transcript: TEXT, voice, language: 'en', output_format: RAW, ...changes };
}

/** {@link TEXT} as raw audio. */
export async function spokenAt(place: Place): Promise<Buffer> {
  const response = await call(place, '/tts/bytes', { json: await generationAt(place) });
  if (response.status !== 200) throw new Error(`no speech: ${response.status} ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

/** What transcription need not get right: case, punctuation, spaces. */
export function words(text: string): readonly string[] {
  return text
    .toLowerCase()
    .replace(/[^a-z ]/g, '')
    .split(' ')
    .filter((word) => word !== '');
}

export type Event = Readonly<Record<string, unknown>>;

export interface Socket {
  send(message: object | string | Uint8Array): void;
  /** All events so far, in order. */
  readonly events: readonly Event[];
  /** The first event that fits, whether it has come already or not. Rejects if the socket closes first. */
  event(fits: (event: Event) => boolean): Promise<Event>;
  /** The close code. */
  readonly closed: Promise<number>;
}

/** Opens a socket with the credential in a header. @param query besides the version */
export async function openSocket(
  t: Test,
  { url, credential }: Place,
  path: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Socket> {
  const address = `${url.replace(/^http/, 'ws')}${path}?${new URLSearchParams({ cartesia_version: VERSION, ...query })}`;
  const headers = 'access_token' in query ? {} : { authorization: `Bearer ${credential}` };
  const socket = new WebSocket(address, { headers });
  t.teardown(() => socket.terminate());
  const events: Event[] = [];
  const lookers = new Set<() => void>();
  const { promise: closed, resolve } = Promise.withResolvers<number>();
  socket.on('message', (data) => {
    events.push(JSON.parse(String(data)) as Event);
    for (const look of lookers) look();
  });
  socket.on('close', resolve);
  await new Promise((opened, failed) => socket.once('open', opened).once('error', failed));
  return {
    events,
    closed,
    send: (message) =>
      socket.send(typeof message === 'string' || message instanceof Uint8Array ? message : JSON.stringify(message)),
    event(fits) {
      const { promise, resolve: found, reject } = Promise.withResolvers<Event>();
      const look = (): void => {
        const event = events.find(fits);
        if (event !== undefined) found(event);
      };
      lookers.add(look);
      look();
      void closed.then((code) => reject(new Error(`closed with ${code} after ${JSON.stringify(events.at(-1))}`)));
      return promise.finally(() => lookers.delete(look));
    },
  };
}

/** Frames of 100 ms. */
export function* framesOf(audio: Buffer): Generator<Buffer> {
  for (let at = 0; at < audio.length; at += BYTES_PER_SECOND / 10) yield audio.subarray(at, at + BYTES_PER_SECOND / 10);
}
