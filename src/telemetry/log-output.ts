// Standard output for log lines: one write for everything that was logged in one turn of the event loop.
import { writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** A batch this long is written before the turn ends; a longer one would not go out in one write. In characters, nearly all one byte each. */
const BATCH_BYTES = 16_000;

/** Milliseconds between two attempts to write to a full pipe: a slow reader still gets every line. */
const AGAIN_MS = 10;

/** A destination that can be flushed synchronously; pino does so for a fatal line, before the process may end. */
export interface LogOutput extends DestinationStream {
  flushSync(): void;
}

/**
 * One write per line was a tenth of what a request costs under load. A line waits only for the rest of its turn, so it is out before
 * anything else happens. Whatever is left is written when the process exits.
 *
 * Lines that cannot be written, because the disk is full or the reader is gone, are lost: keeping them would need unbounded memory, and
 * retrying for ever would keep the process from exiting.
 * @param fd 1 = standard output
 */
export function createLogOutput(fd = 1): LogOutput {
  let isScheduled = false;
  let lines = '';
  /** Whether the last write stopped in the middle of a line. */
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

/** Whether a non-blocking pipe is full because its reader is behind. */
function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}
