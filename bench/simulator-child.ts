// The simulator's process, seen from the one that has started it.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, Report } from './simulator-process.ts';

/** It ends when it is disconnected from. */
export async function forkSimulator(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = fork(fileURLToPath(new URL('./simulator-process.ts', import.meta.url)));
  const [url] = (await once(child, 'message')) as [string];
  return { child, url };
}

/** Orders are answered in turn. */
export async function ask(child: ChildProcess, order: Order): Promise<Report> {
  const answer = once(child, 'message');
  child.send(order);
  const [report] = (await answer) as [Report];
  return report;
}
