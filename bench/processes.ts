// Starts servers as processes of their own on one CPU, and stops them with the benchmark.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setPriority } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { pinnedTo } from './machine.ts';

export interface Launch {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Number of children that do the work; a server may listen before it has started them. */
  readonly workers?: number;
}

export interface Running {
  readonly port: number;
  /** The process and its children, such as nginx's workers. */
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const PATIENCE_MS = 20_000;
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

/** A port that nobody is listening on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new TypeError('a TCP server has a port');
  return address.port;
}

/** Resolves once something listens on the port and all workers have started; rejects if the process ends first. */
export async function start(
  launch: Launch,
  { port, cpu }: { readonly port: number; readonly cpu: number },
): Promise<Running> {
  const child = launchOn(cpu, launch, 'ignore');
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    if (!running.has(child)) return;
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 2_000);
    await ended;
    clearTimeout(late);
  };
  const until = performance.now() + PATIENCE_MS;
  while (!(await accepts(port)) || childrenOf(child.pid).length < (launch.workers ?? 0)) {
    if (!running.has(child))
      throw new Error(`${launch.command.join(' ')} ended with ${child.exitCode ?? child.signalCode}`);
    if (performance.now() > until) {
      await stop();
      throw new Error(`${launch.command.join(' ')} does not listen`);
    }
    await sleep(10);
  }
  return { port, pids: [child.pid, ...childrenOf(child.pid)].filter((pid) => pid !== undefined), stop };
}

/** Starts a process that is killed with this one. Its standard error is shown; its standard output is ignored or piped. */
export function launchOn(cpu: number, { command, env }: Launch, stdout: 'ignore' | 'pipe'): ChildProcess {
  const [program = '', ...rest] = [...pinnedTo(cpu), ...command];
  const child = spawn(program, rest, {
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...env },
    stdio: ['ignore', stdout, 'inherit'],
  });
  running.add(child);
  child.on('exit', () => running.delete(child));
  child.on('error', () => running.delete(child));
  return child;
}

export async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(true));
    socket.on('error', () => resolve(false));
  }).then((answer) => {
    socket.destroy();
    return answer === true;
  });
}

function childrenOf(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8')
      .split(' ')
      .filter((text) => text.trim() !== '')
      .flatMap((child) => [Number(child), ...childrenOf(Number(child))]),
  );
}

/** Total memory of running processes. */
export function residentKib(pids: readonly number[]): number {
  return pids.reduce(
    (sum, pid) => sum + Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0),
    0,
  );
}

/** On a busy machine, the delays of a server that mostly waits are the scheduler's. Only root may raise priorities; otherwise does nothing. */
export function setUrgent(pids: readonly number[], isUrgent: boolean): void {
  if (process.getuid?.() !== 0) return;
  for (const pid of pids) setPriority(pid, isUrgent ? URGENT : 0);
}

const URGENT = -15;
