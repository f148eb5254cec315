// A server that gives scripted responses in order, like a broker or something else in its place.
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

export interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface ScriptedAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent unchanged, anything else as JSON. */
  readonly body: unknown;
  /** The response is sent once this has resolved. */
  readonly after?: Promise<unknown>;
}

export interface ScriptedBroker {
  readonly url: string;
  /** The requests so far. */
  readonly asked: readonly Asked[];
  /** Responses for the next requests, in order. A request without one is not answered. */
  answer(...answers: readonly ScriptedAnswer[]): void;
  /** Resolves when this many requests have arrived. */
  untilAsked(count: number): Promise<void>;
}

/** Stops with the test. */
export async function startScriptedBroker(t: Test, port = 0): Promise<ScriptedBroker> {
  const asked: Asked[] = [];
  const script: ScriptedAnswer[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    asked.push({ method: request.method, url: request.url, headers: request.headers, body });
    server.emit('asked');
    const next = script.shift();
    if (next === undefined) return;
    await next.after;
    response.writeHead(next.status ?? 200, next.headers);
    response.end(typeof next.body === 'string' ? next.body : JSON.stringify(next.body));
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer: (...answers) => void script.push(...answers),
    async untilAsked(count) {
      while (asked.length < count) await once(server, 'asked');
    },
  };
}

/** The answer to a mint: a token with this name, valid for 300 s. */
export function minted(token: string, more: Readonly<Record<string, unknown>> = {}): ScriptedAnswer {
  return {
    body: {
      token,
      expires_in: 300,
      expires_at: '1990-01-01T00:00:00.000Z', // the broker's clock differs from the device's
      refresh_in: 240,
      grants: { tts: true, stt: false, agent: false },
      delivery: 'proxied',
      base_url: 'https://voice.example.com',
      websocket_url: 'wss://voice.example.com',
      cartesia_version: '2026-03-01',
      ...more,
    },
  };
}

/** A refusal by the broker. */
export function refused(
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = { 'x-should-retry': 'false' },
): ScriptedAnswer {
  return {
    status,
    headers,
    body: { error_code: code, title: 'Refused', message: `Because of ${code}.`, request_id: 'id-1', source: 'broker' },
  };
}
