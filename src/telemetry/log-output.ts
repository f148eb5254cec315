// Standard output for log lines: one write for everything that was logged in one turn of the event loop.
import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Where a batch is written before its turn is over; a larger one would not go out in one write. Characters, nearly all of them bytes. */
const BATCH_BYTES = 16_000;

/** A reader that is slow is waited for: who reads the log gets all of it. Milliseconds between two tries. */
const AGAIN_MS = 10;

/** Lines that can be written out at once; `pino` calls it for a fatal line, before the process may end. */
export interface LogOutput extends DestinationStream {
  flushSync(): void;
}

/**
 * A write for each line was a tenth of what a request costs under load. What a line waits for is the rest of the turn, so a line is still
 * out before anything else happens. Whatever is left is written when the process exits.
 *
 * What cannot be written, because the disk is full or the reader has gone, is lost: there is nobody to tell. To keep it would cost memory
 * without end, and to insist on it would keep the process from its own end.
 * @param fd 1 = standard output
 */
export function createLogOutput(fd = 1): LogOutput {
  let isScheduled = false;
  let lines = '';
  /** The last line that went out has no end. */
  let isCut = false;
  const flushSync = (): void => {
    if (lines === '') return;
    const bytes = Buffer.from(isCut ? `\n${lines}` : lines);
    lines = '';
    const written = writeOut(fd, bytes);
    if (written > 0) isCut = written < bytes.length;
  };
  const flush = (): void => {
    isScheduled = false;
    flushSync();
  };
  process.once('exit', flushSync);
  return {
    write(line) {
      lines += line;
      if (lines.length >= BATCH_BYTES) flushSync();
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(flush);
    },
    flushSync,
  };
}

/** @returns how many of the bytes went out. Never throws. */
function writeOut(fd: number, bytes: Buffer): number {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written);
    } catch (error) {
      if (!isFull(error)) break;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
  return written;
}

/** A pipe that does not block its writer, and whose reader is behind. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
