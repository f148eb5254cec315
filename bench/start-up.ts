// Measures the time from process start to the first response, and memory: the image's build against a minimal Node server.
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { warmCompileCache } from './broker.ts';
import { broker, type Contender, peer } from './contenders.ts';
import { mintCredentials } from './credentials.ts';
import { SERVER_CPU } from './machine.ts';
import { measure } from './measurement.ts';
import type { Options } from './options.ts';
import type { Print } from './print.ts';
import { freePort, launchOn, residentKib } from './processes.ts';
import { MINT, SMALL, writeRequest } from './requests.ts';
import { median } from './rounds.ts';
import { createSurroundings, type Surroundings } from './surroundings.ts';
import { number } from './tables.ts';

export interface StartUp {
  readonly contender: string;
  /** Medians. */
  readonly firstAnswerMs: number;
  /** CPU time until then, which stays meaningful on a busy machine. */
  readonly cpuMs: number;
  readonly rssMb: number;
  /** After some seconds of load; measured once. */
  readonly loadedRssMb: number;
  readonly errors: number;
}

/** The broker's figures divided by those of the hello world. */
const GOALS = { firstAnswerMs: 2, cpuMs: 2, rssMb: 1.3, loadedRssMb: 1.6 } as const;
const LOAD_CONNECTIONS = 64;
const PATIENCE_MS = 20_000;
/** A start takes a fraction of a second, so it can be repeated more often. */
const STARTS_PER_ROUND = 3;

export async function runStartUp(options: Options, dist: string, print: Print): Promise<readonly StartUp[]> {
  const compileCache = warmCompileCache();
  const around = await createSurroundings(false);
  const builds = [broker('broker', dist, 'direct')];
  if (options.baseline !== null) builds.push(broker('baseline', options.baseline, 'direct'));
  const contenders = [...builds, peer('hello')];
  const starts = new Map<string, Pick<StartUp, 'firstAnswerMs' | 'cpuMs' | 'rssMb'>[]>();
  try {
    for (let n = 0; n < options.rounds * STARTS_PER_ROUND; n += 1) {
      for (const contender of contenders) {
        const begun = await begin(contender, around, compileCache);
        starts.set(contender.name, [...(starts.get(contender.name) ?? []), begun]);
        await begun.stop();
      }
    }
    const found: StartUp[] = [];
    for (const contender of contenders) {
      const all = starts.get(contender.name) ?? [];
      found.push({
        contender: contender.name,
        firstAnswerMs: median(all.map(({ firstAnswerMs }) => firstAnswerMs)),
        cpuMs: median(all.map(({ cpuMs }) => cpuMs)),
        rssMb: median(all.map(({ rssMb }) => rssMb)),
        ...(await underLoad(contender, around, compileCache, options)),
      });
    }
    show(found, print);
    return found;
  } finally {
    await around.close();
  }
}

async function begin(contender: Contender, around: Surroundings, compileCache: string) {
  const port = await freePort();
  const launch = contender.launch({
    port,
    upstreamPort: around.upstreamPort,
    callers: around.callers,
    certificate: null,
  });
  const env = { ...launch.env, NODE_COMPILE_CACHE: compileCache };
  const startedAt = performance.now();
  const child = launchOn(SERVER_CPU, { ...launch, env }, 'ignore');
  const ended = once(child, 'exit');
  while (!(await answers(port))) {
    if (performance.now() - startedAt > PATIENCE_MS) child.kill('SIGKILL');
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`${contender.name} ended with ${child.exitCode ?? child.signalCode}`);
    await sleep(1);
  }
  const firstAnswerMs = performance.now() - startedAt;
  const pid = child.pid ?? 0;
  return {
    port,
    pid,
    firstAnswerMs,
    cpuMs: cpuMs(pid),
    rssMb: residentKib([pid]) / 1024,
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Whether `GET /` gets a 200 now. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('connect', () => socket.write('GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'));
    socket.on('data', (data) => {
      socket.destroy();
      resolve(data.toString('latin1', 9, 12) === '200');
    });
    socket.on('error', () => resolve(false));
  });
}

function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`).map((task) =>
    readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8'),
  );
  return threads.reduce((sum, text) => sum + Number.parseInt(text, 10), 0) / 1e6;
}

/** The broker mints; the hello world gives its only response. */
async function underLoad(contender: Contender, around: Surroundings, compileCache: string, options: Options) {
  const server = await begin(contender, around, compileCache);
  const isBroker = contender.kind === 'broker';
  const settings = {
    seconds: Math.max(options.seconds, options.warmSeconds),
    connections: LOAD_CONNECTIONS,
    answers: isBroker ? 'minted' : 'any',
    lines: mintCredentials(around.callers, 'seen', options)(0),
  };
  const request = writeRequest(`start-up-${contender.name}`, isBroker ? MINT : SMALL);
  const { rssKb, errors } = await measure(
    { program: 'load', settings },
    { port: server.port, pids: [server.pid] },
    request,
  );
  await server.stop();
  return { loadedRssMb: rssKb / 1024, errors };
}

function show(found: readonly StartUp[], print: Print): void {
  const hello = found.at(-1);
  const [ours] = found;
  if (hello === undefined || ours === undefined) return;
  print('\n### startup\n');
  print(
    '| server | first answer, ms | CPU until then, ms | RSS then, MB | RSS under load, MB | errors |\n|---|--:|--:|--:|--:|--:|',
  );
  for (const { contender, firstAnswerMs, cpuMs: cpu, rssMb: rss, loadedRssMb, errors } of found) {
    print(
      `| ${contender} | ${number(firstAnswerMs)} | ${number(cpu)} | ${number(rss)} | ${number(loadedRssMb)} | ${errors} |`,
    );
  }
  print('');
  for (const figure of ['firstAnswerMs', 'cpuMs', 'rssMb', 'loadedRssMb'] as const) {
    const ratio = ours[figure] / hello[figure];
    print(
      `- ${figure}: ${ratio.toFixed(2)} times the hello world's, goal ≤ ${GOALS[figure]}: ${ratio <= GOALS[figure] ? 'met' : '**missed**'}`,
    );
  }
}
