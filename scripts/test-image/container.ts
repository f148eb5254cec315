// Runs an image's process as a container engine with `--read-only --cap-drop ALL --security-opt no-new-privileges` would: as process 1
// of its own process namespace, as the image's user, on the image's files mounted read-only. It shares the machine's network.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { ImageConfig } from './buildah.ts';

export interface Image {
  readonly folder: string;
  readonly config: ImageConfig;
}

export interface ContainerOptions {
  /** Overrides the image's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** A folder that appears as `/run/secrets`, read-only. */
  readonly secrets?: string;
}

export interface Container {
  /** The main process's id on this machine. */
  readonly pid: number;
  /** Everything written so far, to both streams. */
  readonly output: () => string;
  /** Resolves with the output once it contains the text; rejects if the container ends first. */
  waitFor(text: string): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** Its exit code; 128 and more = ended by a signal. */
  readonly ended: Promise<number>;
}

/** $1: the image's folder; $2: a folder of secrets, or empty; the rest: what to run once all is mounted. */
const ENTER = `
root=$1 secrets=$2; shift 2
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
if [ -n "$secrets" ]; then
  mount --bind "$secrets" "$root/run/secrets"
  mount -o remount,bind,ro "$root/run/secrets"
fi
mount -o remount,bind,ro,nosuid,nodev "$root"
ulimit -c 0
exec setpriv --no-new-privs "$@"
`;

/** @param command instead of the image's own entry point and arguments; a program of the image's PATH, or a path */
export async function start(
  { folder, config }: Image,
  command: readonly string[] | null,
  { env = {}, secrets = '' }: ContainerOptions = {},
): Promise<Container> {
  for (const name of ['proc', 'run/secrets']) mkdirSync(path.join(folder, name), { recursive: true }); // as engines do
  const [user = '', group = user] = config.User.split(':');
  const environment = { ...Object.fromEntries(config.Env.map(pair)), ...env };
  const [program = '', ...args] = command ?? [...config.Entrypoint, ...config.Cmd];
  const asUser = [`--root=${folder}`, `--wd=${config.WorkingDir || '/'}`, `--setgid=${group}`, `--setuid=${user}`];
  const child = spawn(
    'unshare',
    [
      ...['--mount', '--pid', '--fork', '--kill-child', '--propagation=private'],
      ...['sh', '-eu', '-c', ENTER, 'sh', folder, secrets],
      // Nothing of this machine's environment gets in.
      ...['/usr/bin/env', '-i', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
      ...['/usr/bin/unshare', ...asUser, '--', inImage(folder, environment['PATH'] ?? '', program), ...args],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  return watch(child);
}

/** Looks a program up in the image's PATH. */
function inImage(folder: string, searched: string, program: string): string {
  if (program.includes('/')) return program;
  const found = searched.split(':').find((directory) => existsSync(path.join(folder, directory, program)));
  if (found === undefined) throw new Error(`${program} is not in the PATH of the image`);
  return path.join(found, program);
}

async function watch(child: ChildProcess): Promise<Container> {
  let text = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const listener of listeners) listener();
    });
  }
  const ended = once(child, 'close').then(([code]: number[]) => code ?? 128);
  await once(child, 'spawn');
  return {
    get pid() {
      return childOf(child.pid ?? 0);
    },
    output: () => text,
    waitFor: (wanted) =>
      Promise.race([
        new Promise<string>((resolve) => {
          const look = (): void => {
            if (text.includes(wanted)) resolve(text);
          };
          listeners.add(look);
          look();
        }),
        ended.then((code) => {
          throw new Error(`ended with ${code} before it said ${JSON.stringify(wanted)}:\n${text}`);
        }),
      ]),
    signal: (name) => process.kill(childOf(child.pid ?? 0), name),
    ended,
  };
}

/** `unshare` has one child: the process that it made for the new namespace. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}
