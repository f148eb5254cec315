// Requests as sent over the wire. The load generator fills in `{id}` and `{line}`, see native/request-template.h.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { SCRATCH } from './places.ts';

const HOST = 'host: localhost\r\nuser-agent: bench\r\n';

/** The shortest mint: without a body it asks for the policy's defaults. `{line}` is the caller's credential. */
export const MINT = `POST /access-token HTTP/1.1\r\n${HOST}accept: */*\r\n{line}\r\n\r\n`;

const GENERATION = JSON.stringify({
  model_id: 'sonic-3',
  transcript: 'The quick brown fox jumps over the lazy dog, and so on until it is tired.',
  voice: { mode: 'id', id: 'a0e99841-438c-4a64-b679-ae501e7d6091' },
  language: 'en',
  output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 },
});

/** Asks for 200 bytes of JSON. */
export const SMALL = `GET /voices?id={id} HTTP/1.1\r\n${HOST}accept: */*\r\n{line}\r\n\r\n`;

/** @param query for upstream, see native/upstream.c */
export function speech(query: string): string {
  return (
    `POST /tts/bytes?id={id}&${query} HTTP/1.1\r\n${HOST}accept: */*\r\n{line}\r\ncontent-type: application/json\r\n` +
    `content-length: ${Buffer.byteLength(GENERATION)}\r\n\r\n${GENERATION}`
  );
}

/** The target of speech to text over a WebSocket. */
export const LISTENING = '/stt/websocket?model=ink-2&language=en&encoding=pcm_s16le&sample_rate=16000';

/** The target of a call with an agent: the only socket that a client's pings keep open, so it can be held idle for any length of time. */
export const CALL = '/agents/stream/agent_bench';

export function handshake(target: string): string {
  return (
    `GET ${target} HTTP/1.1\r\n${HOST}upgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\n` +
    'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: https://app.example.com\r\n{line}\r\n\r\n'
  );
}

/** @returns the path of the file */
export function writeRequest(name: string, content: string): string {
  const file = path.join(SCRATCH, `${name}.request`);
  writeFileSync(file, content);
  return file;
}

/** Writes authorization headers with these credentials, one per line. @returns the path of the file */
export function writeCredentials(name: string, tokens: readonly string[]): string {
  const file = path.join(SCRATCH, `${name}.lines`);
  writeFileSync(file, tokens.map((token) => `authorization: Bearer ${token}\n`).join(''), { mode: 0o600 });
  return file;
}
