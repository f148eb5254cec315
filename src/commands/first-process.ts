// Early signals for the first process of a container: the kernel drops signals that process 1 does not handle, so one that arrives before
// a command has installed its handlers would be lost.

/** The part of `process` that is used here. */
export interface FirstProcess {
  readonly pid: number;
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  listenerCount(signal: string): number;
  exit(code: number): void;
}

/** The exit codes that a shell reports for a process ended by the signal. */
const CODES = { SIGTERM: 143, SIGINT: 130 } as const;

/** Makes signals end process 1, as they would any other process, until another listener is added. Does nothing in any other process. */
export function endOnEarlySignals(own: FirstProcess): void {
  if (own.pid !== 1) return;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    own.on(signal, () => {
      if (own.listenerCount(signal) === 1) own.exit(CODES[signal]);
    });
}
