// Runs programs of this machine to their end.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const OUTPUT_MAX_BYTES = 64 * 1024 * 1024;

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to our own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Returns the program's standard output without its final line break. If it fails, rejects with the output of both streams. */
export async function output(command: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await ended(command, args, options);
  if (code === 0) return stdout.trimEnd();
  throw new Error(`${command} ${args.join(' ')}\nended with ${code}\n${stdout.slice(-4000)}${stderr.slice(-8000)}`);
}

export interface Ended {
  /** 127 if there is no such program. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Resolves however the program ends. */
export async function ended(command: string, args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  const { cwd, env = {} } = options;
  try {
    const { stdout, stderr } = await promisify(execFile)(command, [...args], {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, ...env },
      maxBuffer: OUTPUT_MAX_BYTES,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: number | string; stdout?: string; stderr?: string };
    return { code: typeof code === 'number' ? code : 127, stdout, stderr };
  }
}
