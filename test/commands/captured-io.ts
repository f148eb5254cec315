// Captures what a command writes.
import { Writable } from 'node:stream';
import type { CommandIo } from '../../src/commands/io.ts';

export interface CapturedIo extends CommandIo {
  readonly written: { stdout: string; stderr: string };
}

export function capturedIo(env: Readonly<Record<string, string>> = {}): CapturedIo {
  const written = { stdout: '', stderr: '' };
  const into = (name: keyof typeof written) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        written[name] += chunk.toString();
        done();
      },
    });
  return { stdout: into('stdout'), stderr: into('stderr'), env, written };
}
