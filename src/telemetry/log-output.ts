// Standard output for log lines: one write for everything that was logged in one turn of the event loop.
import { type DestinationStream, destination as openOutput } from 'pino';

/** Where a batch is written before its turn is over; a larger one would not go out in one write. Characters, nearly all of them bytes. */
const BATCH_BYTES = 16_000;

/** Most that waits where nothing can be written, on a disk that is full: later lines are dropped. Characters. */
const WAITING_MAX = 1_048_576;

/** Lines that can be written out at once; `pino` calls it for a fatal line, before the process may end. */
export interface LogOutput extends DestinationStream {
  flushSync(): void;
}

/**
 * A write for each line was a tenth of what a request costs under load. What a line waits for is the rest of the turn, so a line is still
 * out before anything else happens. Whatever is left is written when the process exits.
 * @param fd 1 = standard output
 */
export function createLogOutput(fd = 1): LogOutput {
  const output = openOutput({ dest: fd, sync: true, minLength: BATCH_BYTES, maxLength: WAITING_MAX });
  let hasFailed = false;
  // A reader that has gone away is no reason to fail: there is nobody left to tell.
  output.on('error', () => {
    hasFailed = true;
  });
  let isScheduled = false;
  /** Gathered here, because the output below measures every piece that it is given. */
  let lines = '';
  const pass = (): void => {
    const piece = lines;
    lines = '';
    output.write(piece);
  };
  const flush = (): void => {
    isScheduled = false;
    if (lines !== '') pass();
    output.flush();
  };
  const flushSync = (): void => {
    try {
      hasFailed = false;
      if (lines !== '') pass();
      output.flush();
      // Where nothing can be written it would try for ever, and the process would never end: Ctrl-C ends the reader of a pipe, too.
      if (!hasFailed) output.flushSync();
    } catch {
      // as above
    }
  };
  process.once('exit', flushSync);
  return {
    write(line) {
      lines += line;
      if (lines.length >= BATCH_BYTES) pass();
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(flush);
    },
    flushSync,
  };
}
