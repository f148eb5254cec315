// What a command gets from the process, so that it can be run by a test too.
import type { Writable } from 'node:stream';

export interface CommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: NodeJS.ProcessEnv;
}

/** 0 fine, 1 failed at run time, 2 wrong usage or configuration. */
export type ExitCode = 0 | 1 | 2;
