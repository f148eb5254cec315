// Starts the simulator in a child process and talks to it.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, Report } from './simulator-process.ts';

/** The child ends when it is disconnected. */
export async function forkSimulator(): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = fork(fileURLToPath(new URL('./simulator-process.ts', import.meta.url)));
  const [url] = (await once(child, 'message')) as [string];
  return { child, url };
}

/** Sends an order and returns the report; orders are answered in the order sent. */
export async function ask(child: ChildProcess, order: Order): Promise<Report> {
  const answer = once(child, 'message');
  child.send(order);
  const [report] = (await answer) as [Report];
  return report;
}
