// Measures what the offline Cartesia itself can do, so that it is never the bottleneck of tests and demos.
//
// It runs in a process of its own, on one thread; this process is the client. Three runs: speech at a given pace, speech as
// fast as it can be made, and transcription in real time.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { encodeSamples } from '../src/simulator/audio/encodings.ts';
import { synthesise } from '../src/simulator/audio/synthesiser.ts';
import { ask, forkSimulator } from './simulator-child.ts';
import type { Report } from './simulator-process.ts';

const SOCKETS = 1_000;
const CHUNKS_PER_SECOND = 5;

/** Prints a line for each run. */
export async function measureSimulator({ seconds }: { readonly seconds: number }): Promise<readonly never[]> {
  const { child, url } = await forkSimulator();
  const base = url.replace('http', 'ws');
  console.log(`\n### simulator\n\nOn one thread, client on another; ${SOCKETS} sockets.\n`);
  const paced = { count: SOCKETS, perChunkMs: 1_000 / CHUNKS_PER_SECOND, seconds };
  await speech(child, base, { ...paced, title: `speech at ${CHUNKS_PER_SECOND} chunks/s each` });
  await speech(child, base, { ...paced, perChunkMs: 0, title: 'speech as fast as it can' });
  await transcription(child, base, { count: 100, seconds, title: '100 transcriptions in real time' });
  child.disconnect();
  return [];
}

interface Run {
  readonly count: number;
  readonly seconds: number;
  readonly title: string;
}

async function speech(child: ChildProcess, base: string, run: Run & { readonly perChunkMs: number }): Promise<void> {
  const { count, perChunkMs, seconds } = run;
  const clients = await Promise.all(Array.from({ length: count }, () => open(`${base}/tts/websocket`)));
  let chunks = 0;
  let bytes = 0;
  await ask(child, { perChunkMs });
  for (const [n, socket] of clients.entries()) {
    // Anything that is not a chunk is short; parsing 22 kB of JSON would measure the client.
    socket.on('message', (data: Buffer) => {
      if (data.length > 1_000) chunks += 1;
      bytes += data.length;
    });
    socket.send(generation(n));
  }
  await sleep(1_000);
  const [chunksBefore, bytesBefore] = [chunks, bytes];
  await ask(child, {});
  await sleep(seconds * 1_000);
  const report = await ask(child, {});
  const rate = (chunks - chunksBefore) / seconds;
  print(run.title, `${rate.toFixed(0)} chunks/s, ${((bytes - bytesBefore) / seconds / 1e6).toFixed(0)} MB/s`, report);
  await closeAll(clients);
}

async function transcription(child: ChildProcess, base: string, run: Run): Promise<void> {
  const { count, seconds } = run;
  const path = '/stt/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000';
  const clients = await Promise.all(Array.from({ length: count }, () => open(`${base}${path}`)));
  const { samples } = synthesise({
    transcript: 'The quick brown fox jumps over the lazy dog. ',
    voiceId: 'v',
    sampleRate: 16_000,
  });
  const audio = Buffer.from(encodeSamples(samples, 'pcm_s16le'));
  let transcripts = 0;
  for (const socket of clients) {
    socket.on('message', () => {
      transcripts += 1;
    });
  }
  await ask(child, {});
  const began = performance.now();
  for (let frame = 0; frame < seconds * 10; frame += 1) {
    const at = (frame * 3_200) % (audio.length - 3_200);
    for (const socket of clients) socket.send(audio.subarray(at - (at % 2), at - (at % 2) + 3_200));
    await sleep(Math.max(0, began + (frame + 1) * 100 - performance.now()));
  }
  print(run.title, `${(transcripts / seconds).toFixed(0)} transcripts/s`, await ask(child, {}));
  await closeAll(clients);
}

/** A text that lasts longer than any run. */
function generation(n: number): string {
  return JSON.stringify({
    model_id: 'sonic-3',
    voice: { id: 'a0e99841-438c-4a64-b679-ae501e7d6091' },
    transcript: 'The quick brown fox jumps over the lazy dog. '.repeat(100),
    output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 },
    context_id: `context-${n}`,
  });
}

async function open(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, {
    perMessageDeflate: false,
    headers: { authorization: 'Bearer sk_car_simulated', 'cartesia-version': '2026-08-14' },
  });
  await once(socket, 'open');
  return socket;
}

async function closeAll(clients: readonly WebSocket[]): Promise<void> {
  const closed = clients.map((socket) => once(socket, 'close'));
  for (const socket of clients) socket.terminate();
  await Promise.all(closed);
}

function print(title: string, done: string, { cpuPercent, loopDelayP99Ms, loopDelayMaxMs, rssMb }: Report): void {
  const loop = `event loop p99 ${loopDelayP99Ms.toFixed(1)} ms, max ${loopDelayMaxMs.toFixed(1)} ms`;
  console.log(`- ${title}: ${done}; ${cpuPercent.toFixed(0)} % of one core, ${loop}, ${rssMb.toFixed(0)} MB`);
}
