// Runs `cartesia-broker serve` as a separate process, and collects all that it writes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { OutputWatch } from '../canary/output-watch.ts';

export interface ServeProcess {
  readonly child: ChildProcess;
  /** Where it listens. Resolves once it logs that; rejects if it exits instead. */
  readonly listening: Promise<{ readonly url: string; readonly managementUrl: string }>;
  /** Exit code and signal. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Log lines so far. */
  readonly logs: () => readonly Record<string, unknown>[];
  /** Resolves with the first line that has this message. */
  logged(msg: string): Promise<Record<string, unknown>>;
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ServeOptions {
  readonly env: Readonly<Record<string, string>>;
  /** Options for Node itself. */
  readonly nodeOptions?: readonly string[];
  /** Limit on its file descriptors, sockets included. */
  readonly openFiles?: number;
  readonly watch?: OutputWatch;
}

/** Killed with the test if it still runs. From this process's environment it gets only PATH and the place of the compile cache. */
export function serveProcess(t: Test, { env, nodeOptions = [], openFiles, watch }: ServeOptions): ServeProcess {
  const node = [process.execPath, ...nodeOptions, MAIN, 'serve'];
  // Node raises its limit to the most that is allowed; only the shell in front can lower that.
  const limited = openFiles === undefined ? node : ['sh', '-c', `ulimit -n ${openFiles} && exec "$0" "$@"`, ...node];
  const [command = '', ...rest] = limited;
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const child = spawn(command, rest, {
    env: { PATH, ...(NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }), ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    watch?.record('stdout', text);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    watch?.record('stderr', text);
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code as number, signal: signal as string }));
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const logs = (): Record<string, unknown>[] =>
    stdout
      .slice(0, stdout.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  async function logged(msg: string): Promise<Record<string, unknown>> {
    for (;;) {
      const line = logs().find((entry) => entry['msg'] === msg);
      if (line !== undefined) return line;
      const more = child.stdout === null ? ended : once(child.stdout, 'data');
      if ((await Promise.race([more, ended.then(() => null)])) === null)
        throw new Error(`ended without saying "${msg}": ${stderr || stdout}`);
    }
  }
  const listening = logged('listening').then((line) => ({
    url: String(line['url']),
    managementUrl: String(line['management_url']),
  }));
  listening.catch(() => {}); // a caller that does not wait for it need not handle the rejection
  return { child, listening, ended, stdout: () => stdout, stderr: () => stderr, logs, logged };
}
