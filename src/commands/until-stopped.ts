// Runs until a signal or a fault ends the process, and then stops in good order.
import closeWithGrace from 'close-with-grace';
import type { Logger } from '../telemetry/logger.ts';

export interface StopReason {
  readonly signal: string | null;
}

export interface UntilStoppedOptions {
  /** Told once; the process ends when it resolves, or when the deadline is over. */
  readonly stop: (reason: StopReason) => Promise<void>;
  /** Milliseconds after which the process ends with code 1 whatever is still open. */
  readonly deadlineMs: number;
  /** SIGHUP; what is there when a terminal closes goes on. */
  readonly onHangup: () => void;
  readonly logger: Logger;
}

/**
 * SIGTERM and SIGINT: stop, exit 0. SIGHUP: `onHangup`. An uncaught error: log, stop, exit 1. A second signal: exit 1 at once.
 * Never resolves: the process ends here.
 */
export function untilStopped({ stop, deadlineMs, onHangup, logger }: UntilStoppedOptions): Promise<never> {
  process.on('SIGHUP', onHangup);
  closeWithGrace({ delay: deadlineMs, logger: false, skip: ['SIGHUP'] }, async ({ signal, err }) => {
    if (err !== undefined) logger.fatal({ err }, 'uncaught error: stopping');
    else logger.info({ signal }, 'stopping');
    await stop({ signal: signal ?? null });
    logger.info('stopped');
  });
  return new Promise(() => {});
}
