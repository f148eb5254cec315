// A signal or a fault ends the process, and before that things are stopped in good order.
import closeWithGrace from 'close-with-grace';
import type { Logger } from '../telemetry/logger.ts';

export interface StopReason {
  readonly signal: string | null;
}

export interface StopOnSignalsOptions {
  /** Told once; the process ends when it resolves, or when the deadline is over. */
  readonly stop: (reason: StopReason) => Promise<void>;
  /** Milliseconds after which the process ends with code 1 whatever is still open. */
  readonly deadlineMs: number;
  /** SIGHUP; what is there when a terminal closes goes on. */
  readonly onHangup: () => void;
  readonly logger: Logger;
}

/**
 * From now on. SIGTERM and SIGINT: stop, exit 0. SIGHUP: `onHangup`. An uncaught error: log, stop, exit 1. A second signal: exit 1 at
 * once.
 * @returns to be called where there is nothing to stop after all
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
