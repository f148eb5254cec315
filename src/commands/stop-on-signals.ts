// Shuts down in order before a signal or an uncaught error ends the process.
import closeWithGrace from 'close-with-grace';
import type { Logger } from '../telemetry/logger.ts';

export interface StopReason {
  readonly signal: string | null;
}

export interface StopOnSignalsOptions {
  /** Called once; the process ends when it resolves or the deadline passes. */
  readonly stop: (reason: StopReason) => Promise<void>;
  /** Milliseconds after which the process ends with code 1, whatever is still open. */
  readonly deadlineMs: number;
  /** Called on SIGHUP. The process goes on, so it also outlives its terminal. */
  readonly onHangup: () => void;
  readonly logger: Logger;
}

/**
 * A signal that comes again this soon is the same one, sent twice: to the process group by a terminal, and once more by npm or
 * `node --watch`, which pass on what they receive. Milliseconds.
 */
const SAME_MS = 500;
const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Installs the handlers. SIGTERM and SIGINT: stop, exit 0. SIGHUP: `onHangup`. An uncaught error: log, stop, exit 1. A second signal:
 * exit 1 at once.
 * @returns a function that removes them, for when there is nothing to stop after all
 */
export function stopOnSignals({ stop, deadlineMs, onHangup, logger }: StopOnSignalsOptions): () => void {
  let received: { readonly signal: string; readonly atMs: number } | null = null;
  let isStopping = false;
  process.on('SIGHUP', onHangup);
  const { close, uninstall } = closeWithGrace(
    { delay: deadlineMs, logger: false, skip: ['SIGHUP', ...STOP_SIGNALS] },
    async ({ signal = received?.signal ?? null, err }) => {
      isStopping = true;
      if (err !== undefined) logger.fatal({ err }, 'uncaught error: stopping');
      else logger.info({ signal }, 'stopping');
      await stop({ signal });
      logger.info('stopped');
    },
  );
  const onSignal = (signal: string): void => {
    const atMs = performance.now();
    if (received === null) {
      received = { signal, atMs };
      if (!isStopping) void close();
    } else if (atMs - received.atMs > SAME_MS) process.exit(1);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
  return () => {
    uninstall();
    process.off('SIGHUP', onHangup);
    for (const signal of STOP_SIGNALS) process.off(signal, onSignal);
  };
}
