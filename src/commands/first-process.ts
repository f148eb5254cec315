// What the first process of a container has to do for itself: the kernel drops signals for it that nobody handles, and with them one that
// comes before a command listens.

/** The part of `process` that is needed. */
export interface FirstProcess {
  readonly pid: number;
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  listenerCount(signal: string): number;
  exit(code: number): void;
}

/** The codes that a shell shows for a process which the signal has ended. */
const CODES = { SIGTERM: 143, SIGINT: 130 } as const;

/** Signals end it, as they would any other process, until somebody else listens. Does nothing in any other process. */
export function endOnEarlySignals(own: FirstProcess): void {
  if (own.pid !== 1) return;
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    own.on(signal, () => {
      if (own.listenerCount(signal) === 1) own.exit(CODES[signal]);
    });
}
