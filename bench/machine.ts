// What this machine is, and what it provides.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

/** The CPU of the server under test, which runs there alone. */
export const SERVER_CPU = 0;
/** The CPU of load generator and upstream. */
export const LOAD_CPU = 1;

/** Whether a program is installed. */
export function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v "$0"`, program]).status === 0;
}

/** What is missing for any measurement, as texts for the user. CPU time is read from Linux' /proc. */
export function missing(): readonly string[] {
  const texts: string[] = [];
  if (process.platform !== 'linux') texts.push('Linux: CPU time of the server is read from /proc/PID/task/*/schedstat');
  if (!has('gcc')) texts.push('gcc: load generator and upstream are C programs (apt-get install gcc libc6-dev)');
  if (availableParallelism() < 2) texts.push('two CPUs: one for the server, one for the load');
  return texts;
}

/** How many files, sockets included, a process may have open: Node raises its own limit to this, and its children inherit it. */
export function mostFiles(): number {
  const [, hard] = /^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  return hard === undefined ? Number.POSITIVE_INFINITY : Number(hard);
}

/** The beginning of a command that runs on one CPU only; without taskset the kernel decides, and figures scatter more. */
export function pinnedTo(cpu: number): readonly string[] {
  return has('taskset') ? ['taskset', '-c', String(cpu)] : [];
}

/** One line for the head of the tables. */
export function describeMachine(): string {
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()[0]?.toFixed(1);
  return `${cpu?.model.trim()}, ${availableParallelism()} CPUs, ${gib} GiB, Linux ${release()}, Node ${process.version}; load average ${load} at the start`;
}
