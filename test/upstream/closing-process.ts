// Runs as its own process: uses a token client in every way, closes it, and must then exit by itself.
import { createServer } from 'node:net';
import { Secret } from '../../src/config/secret.ts';
import { createTokenClient } from '../../src/upstream/token-client.ts';
import { startRawUpstream, tokenAnswer } from './raw-upstream.ts';

process.on('unhandledRejection', () => process.exit(7));

const wish = { grants: ['tts'], expiresInSeconds: 60, version: '2026-03-01' } as const;
const settings = {
  apiKeys: [new Secret('sk_car_closing')],
  version: '2026-03-01',
  versionPolicy: 'fill',
  // Far longer than the test waits, so that no deadline can end the process.
  deadlineMs: 3_600_000,
  connections: 2,
  caFile: null,
  transport: 'undici',
  concurrency: { tts: null, stt: null, agent: null },
} as const;

const answering = await startRawUpstream(({ socket }) => socket.write(tokenAnswer()));
const silent = await startRawUpstream(() => {});
const handshaking = createServer((socket) => socket.on('error', () => {}).resume());
await new Promise<void>((resolve) => handshaking.listen(0, '127.0.0.1', resolve));
const address = handshaking.address();
const port = typeof address === 'object' ? address?.port : undefined;

const idle = createTokenClient({ ...settings, baseUrl: answering.url });
await idle.load();
await Promise.all([idle.mint(wish), idle.mint(wish), idle.mint(wish)]);

const waiting = createTokenClient({ ...settings, baseUrl: silent.url });
const connecting = createTokenClient({ ...settings, baseUrl: `https://127.0.0.1:${port}` });
const loading = createTokenClient({ ...settings, baseUrl: silent.url });
const connection = new Promise((resolve) => handshaking.once('connection', resolve));
const ends = [waiting, waiting, waiting, connecting].map((client) => client.mint(wish).catch((error) => error.code));
await Promise.all([silent.untilRequests(2), connection]);
ends.push(loading.mint(wish).catch((error) => error.code)); // closed before it has asked for its connection

await Promise.all([idle, waiting, connecting, loading].map((client) => client.close()));
const codes = await Promise.all(ends);
await Promise.all([answering.close(), silent.close(), new Promise((resolve) => handshaking.close(resolve))]);
process.stdout.write(`${JSON.stringify({ codes })}\n`);
