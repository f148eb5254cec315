// Starts a broker that carries WebSockets, for their tests.
import { randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import { type RunningBroker, type RunningBrokerOptions, startRunningBroker } from './running-broker.ts';

export interface SocketBroker extends RunningBroker {
  /** Headers of a client that may do everything. */
  readonly headers: Readonly<Record<string, string>>;
}

export const VOICE = '6ccbfb76-1fc6-48f7-b71d-91ac6298247b';
export const RAW = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 } as const;
export const STT_PATH = '/stt/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000';

export async function startSocketBroker(t: Test, options: RunningBrokerOptions = {}): Promise<SocketBroker> {
  const running = await startRunningBroker(t, {
    ...options,
    env: (simulator) => ({
      TOKEN_SIGNING_SECRET: randomBytes(32).toString('base64url'),
      ...(options.file === undefined ? { DELIVERY: 'proxied', GRANTS: 'tts,stt,agent' } : {}),
      ...(typeof options.env === 'function' ? options.env(simulator) : options.env),
    }),
  });
  return { ...running, headers: { Authorization: `Bearer ${running.appKey}`, 'Cartesia-Version': '2026-08-14' } };
}

/** A generation request as text. */
export function speech(contextId: string, transcript: string, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    model_id: 'sonic-3',
    transcript,
    voice: { id: VOICE },
    output_format: RAW,
    context_id: contextId,
    ...more,
  });
}

/** A client app that may do everything, for a configuration file. */
export function clientOf(digest: string, more: Readonly<Record<string, unknown>> = {}) {
  return {
    clients: {
      kiosk: {
        auth: { keys: [digest] },
        grants: ['tts', 'stt', 'agent'],
        delivery: 'proxied',
        limits: { mint: 'off' },
        ...more,
      },
    },
  };
}

/** Resolves with the first matching log line, past or future. Rejects after two seconds. */
export async function logged(
  { logs }: RunningBroker,
  fits: (line: Readonly<Record<string, unknown>>) => boolean,
): Promise<Readonly<Record<string, unknown>>> {
  const start = performance.now();
  for (;;) {
    const line = logs.find(fits);
    if (line !== undefined) return line;
    if (performance.now() - start > 2000) throw new Error(`no such line: ${JSON.stringify(logs)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
