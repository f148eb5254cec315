// Mixed traffic for as long as one likes, with clients that go away and a Cartesia that fails: does memory grow, is anything lost that
// should not be, and do the meters say what Cartesia has charged?
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { brokerLaunch } from './broker.ts';
import { createCallers } from './callers.ts';
import { SERVER_CPU } from './machine.ts';
import type { Options } from './options.ts';
import type { Print } from './print.ts';
import { freePort, type Running, start } from './processes.ts';
import type { Order, Report } from './simulator-process.ts';

export interface Soak {
  readonly requests: number;
  /** Clients that went away after the first byte, sockets among them. */
  readonly aborted: number;
  /** Answers that were refused or cut. */
  readonly failed: number;
  /** Of those, what Cartesia was told to get wrong; some meet a client that goes away. */
  readonly faults: number;
  readonly charactersMetered: number;
  readonly charactersCharged: number;
  /** After the first quarter. */
  readonly rssGrowthMbPer10Min: number;
  readonly rssMb: number;
  readonly errors: number;
}

const REQUESTS_PER_SECOND = 80;
const SOCKETS = 20;
/** Each socket speaks that often. */
const CONTEXT_MS = 2_000;
const ABORTED_EVERY = 20;
/** Not in step with those that go away: else they alone would meet the faults. */
const FAILING_EVERY = 101;
const PER_CHUNK_MS = 20;
const SAMPLE_MS = 5_000;
/** In which the last answers end. */
const CALM_MS = 2_000;
const GOAL_MB_PER_10_MIN = 1;

const GENERATION = {
  model_id: 'sonic-3',
  transcript: 'Good morning.',
  voice: { mode: 'id', id: 'a0e99841-438c-4a64-b679-ae501e7d6091' },
  language: 'en',
  output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 },
};
const SPEAKING = { method: 'POST', body: JSON.stringify(GENERATION) };
/** What is asked for in turn. */
const TURNS = [
  { ...SPEAKING, path: '/tts/bytes' },
  { ...SPEAKING, path: '/tts/bytes' },
  { ...SPEAKING, path: '/tts/sse' },
  { method: 'GET', path: '/voices' },
  { method: 'POST', path: '/access-token', body: '{}' },
] as const;

export async function runSoak({ holdSeconds }: Options, dist: string, print: Print): Promise<readonly [Soak]> {
  const callers = await createCallers();
  const upstream = fork(fileURLToPath(new URL('./simulator-process.ts', import.meta.url)));
  const [upstreamUrl] = (await once(upstream, 'message')) as [string];
  const [port, managementPort] = [await freePort(), await freePort()];
  const settings = { dist, port, managementPort, upstreamUrl, callers, certificate: null } as const;
  let server: Running | null = null;
  try {
    server = await start(brokerLaunch({ ...settings, delivery: 'proxied', isLimited: true }), {
      port,
      cpu: SERVER_CPU,
    });
    const traffic = new Traffic(port, callers.tokens('ES256', SOCKETS));
    const samples: number[] = [];
    const sampling = setInterval(() => samples.push(residentMb(server)), SAMPLE_MS);
    const before = await ask(upstream, { perChunkMs: PER_CHUNK_MS });
    await traffic.run(holdSeconds, () => void ask(upstream, { failing: 1 }));
    await sleep(CALM_MS);
    clearInterval(sampling);
    const { creditsSpent, faults } = await ask(upstream, {});
    const metered = await charactersMetered(managementPort);
    const charged = creditsSpent - before.creditsSpent;
    const unexpected = Math.max(0, traffic.failed - faults);
    const found: Soak = {
      ...traffic.counts(),
      faults,
      charactersMetered: metered,
      charactersCharged: charged,
      rssGrowthMbPer10Min: slopePerSample(samples.slice(samples.length >> 2)) * (600_000 / SAMPLE_MS),
      rssMb: residentMb(server),
      errors: unexpected + Math.abs(metered - charged),
    };
    show(found, holdSeconds, print);
    return [found];
  } finally {
    await server?.stop();
    upstream.disconnect();
    callers.close();
  }
}

/** Requests at fixed times, and sockets that speak now and then. */
class Traffic {
  requests = 0;
  aborted = 0;
  failed = 0;
  readonly #port: number;
  readonly #callers: readonly string[];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #open = new Set<Promise<void>>();
  #contexts = 0;

  constructor(port: number, callers: readonly string[]) {
    this.#port = port;
    this.#callers = callers;
  }

  counts(): Pick<Soak, 'requests' | 'aborted' | 'failed'> {
    const { requests, aborted, failed } = this;
    return { requests, aborted, failed };
  }

  /** @param fail one of the next requests is to go wrong */
  async run(seconds: number, fail: () => void): Promise<void> {
    const began = performance.now();
    const sockets = this.#callers.map((caller) => this.#speakNowAndThen(caller, began + seconds * 1_000));
    for (let n = 0; n < seconds * REQUESTS_PER_SECOND; n += 1) {
      await sleep(Math.max(0, began + (n * 1_000) / REQUESTS_PER_SECOND - performance.now()));
      if (n % FAILING_EVERY === 0) fail();
      const one = this.#ask(n).finally(() => this.#open.delete(one));
      this.#open.add(one);
    }
    await Promise.all([...this.#open, ...sockets]);
    this.#agent.destroy();
  }

  async #ask(n: number): Promise<void> {
    this.requests += 1;
    const turn = TURNS[n % TURNS.length] ?? TURNS[0];
    const asked = request({
      port: this.#port,
      agent: this.#agent,
      method: turn.method,
      path: turn.path,
      headers: {
        authorization: `Bearer ${this.#callers[n % this.#callers.length]}`,
        ...('body' in turn ? { 'content-type': 'application/json' } : {}),
      },
    });
    asked.end('body' in turn ? turn.body : undefined);
    try {
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      const isAborted = turn.path.startsWith('/tts/') && Math.floor(n / TURNS.length) % ABORTED_EVERY === 0;
      if (isAborted && answer.statusCode === 200) {
        await once(answer, 'data');
        this.aborted += 1;
        answer.destroy();
        return;
      }
      await text(answer);
      if (answer.statusCode !== 200) this.failed += 1;
    } catch {
      this.failed += 1;
    }
  }

  async #speakNowAndThen(caller: string, until: number): Promise<void> {
    let socket: WebSocket | null = null;
    while (performance.now() < until) {
      try {
        socket ??= await this.#connect(caller);
        this.#contexts += 1;
        const isAborted = this.#contexts % ABORTED_EVERY === 0;
        await speak(socket, `context-${this.#contexts}`, isAborted);
        if (isAborted) {
          this.aborted += 1;
          socket = null;
        }
      } catch {
        this.failed += 1;
        socket = null;
      }
      await sleep(CONTEXT_MS);
    }
    socket?.close();
  }

  async #connect(caller: string): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.#port}/tts/websocket`, {
      headers: { authorization: `Bearer ${caller}` },
    });
    await once(socket, 'open');
    return socket;
  }
}

/** Resolves when all has come; where it is aborted, with the first that came, and the connection is gone. */
function speak(socket: WebSocket, contextId: string, isAborted: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const closed = (): void => reject(new Error('closed'));
    const heard = (data: Buffer): void => {
      const { type } = JSON.parse(data.toString()) as { readonly type: string };
      if (!isAborted && type !== 'done' && type !== 'error') return;
      socket.off('message', heard).off('close', closed);
      if (isAborted) socket.terminate();
      if (type === 'error') reject(new Error(data.toString()));
      else resolve();
    };
    socket.on('message', heard).on('close', closed);
    socket.send(JSON.stringify({ ...GENERATION, context_id: contextId, continue: false }));
  });
}

async function ask(child: ChildProcess, order: Order): Promise<Report> {
  child.send(order);
  const [report] = (await once(child, 'message')) as [Report];
  return report;
}

async function charactersMetered(managementPort: number): Promise<number> {
  const metrics = await (await fetch(`http://127.0.0.1:${managementPort}/metrics`)).text();
  return [...metrics.matchAll(/^broker_usage_total\{.*unit="characters".*\} (\d+)$/gm)].reduce(
    (sum, [, amount]) => sum + Number(amount),
    0,
  );
}

function residentMb(server: Running | null): number {
  const status = readFileSync(`/proc/${server?.pids[0]}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
}

/** Least squares. */
function slopePerSample(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  let [over, under] = [0, 0];
  for (const [at, value] of values.entries()) {
    over += (at - middle) * (value - mean);
    under += (at - middle) ** 2;
  }
  return under === 0 ? 0 : over / under;
}

function show(found: Soak, seconds: number, print: Print): void {
  const verdict = (isMet: boolean): string => (isMet ? 'met' : '**missed**');
  print(`\n### soak: ${REQUESTS_PER_SECOND} requests a second and ${SOCKETS} sockets for ${seconds} s\n`);
  print(
    '| requests | aborted | failed | told to fail | characters metered | charged | RSS, MB | growth, MB in 10 min |',
  );
  print('|--:|--:|--:|--:|--:|--:|--:|--:|');
  const { requests, aborted, failed, faults, charactersMetered, charactersCharged, rssMb, rssGrowthMbPer10Min } = found;
  print(
    `| ${requests} | ${aborted} | ${failed} | ${faults} | ${charactersMetered} | ${charactersCharged} | ${rssMb.toFixed(0)} | ${rssGrowthMbPer10Min.toFixed(2)} |`,
  );
  print('');
  print(`- failed without being told to: ${Math.max(0, failed - faults)}, goal 0: ${verdict(failed <= faults)}`);
  print(
    `- meters: ${charactersMetered - charactersCharged} off, goal 0: ${verdict(charactersMetered === charactersCharged)}`,
  );
  print(
    `- growth: ${rssGrowthMbPer10Min.toFixed(2)} MB in 10 min, goal < ${GOAL_MB_PER_10_MIN}: ${verdict(rssGrowthMbPer10Min < GOAL_MB_PER_10_MIN)}`,
  );
}
