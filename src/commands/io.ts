// What a command uses of the process, passed in so that a test can run it too.
import type { Writable } from 'node:stream';

export interface CommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: NodeJS.ProcessEnv;
}

/** 0 fine, 1 failed at run time, 2 wrong usage or configuration. */
export type ExitCode = 0 | 1 | 2;
