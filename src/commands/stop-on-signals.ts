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
 * Installs the handlers. SIGTERM and SIGINT: stop, exit 0. SIGHUP: `onHangup`. An uncaught error: log, stop, exit 1. A second signal:
 * exit 1 at once.
 * @returns a function that removes them, for when there is nothing to stop after all
 */
export function stopOnSignals({ stop, deadlineMs, onHangup, logger }: StopOnSignalsOptions): () => void {
  process.on('SIGHUP', onHangup);
  const { uninstall } = closeWithGrace(
    { delay: deadlineMs, logger: false, skip: ['SIGHUP'] },
    async ({ signal, err }) => {
      if (err !== undefined) logger.fatal({ err }, 'uncaught error: stopping');
      else logger.info({ signal }, 'stopping');
      await stop({ signal: signal ?? null });
      logger.info('stopped');
    },
  );
  return () => {
    uninstall();
    process.off('SIGHUP', onHangup);
  };
}
