// The traffic of a soak: requests at fixed times, sockets that speak now and then, and clients that leave in the middle.
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';

export const REQUESTS_PER_SECOND = 80;
/** Pause of each socket between two contexts. */
const CONTEXT_MS = 2_000;
const ABORTED_EVERY = 20;
/** Out of step with the aborted requests; otherwise only those would meet the faults. */
const FAILING_EVERY = 101;

const GENERATION = {
  model_id: 'sonic-3',
  transcript: 'Good morning.',
  voice: { mode: 'id', id: 'a0e99841-438c-4a64-b679-ae501e7d6091' },
  language: 'en',
  output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 16_000 },
};
const SPEAKING = { method: 'POST', body: JSON.stringify(GENERATION) };
/** The requests, made in turn. */
const TURNS = [
  { ...SPEAKING, path: '/tts/bytes' },
  { ...SPEAKING, path: '/tts/bytes' },
  { ...SPEAKING, path: '/tts/sse' },
  { method: 'GET', path: '/voices' },
  { method: 'POST', path: '/access-token', body: '{}' },
] as const;

export interface TrafficCounts {
  readonly requests: number;
  /** Clients that left after the first byte, including sockets. */
  readonly aborted: number;
  /** Requests that were refused or whose response was cut off. */
  readonly failed: number;
}

/** One socket for each caller. */
export class Traffic implements TrafficCounts {
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

  /** @param fail makes one of the next requests fail */
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

/** Resolves when all speech has come; if aborted, at the first message, after terminating the connection. */
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
