// Checks whether an incomplete response head can still become a valid one.
import { malformed } from './answer-head.ts';

const STATUS_LINE_START = 'HTTP/1.';

/**
 * Refuses bytes that do not begin like a response, or have lines that do not end with CR LF, at once: the end of the head would never come.
 * @param unread where the bytes begin that were not checked before
 * @throws UpstreamFailure `malformed`
 */
export function checkBeginning(bytes: Buffer, from: number, unread: number): void {
  const text = bytes.toString('latin1', from, Math.min(bytes.length, from + STATUS_LINE_START.length));
  if (!STATUS_LINE_START.startsWith(text)) throw malformed('status line');
  // `unread` includes the last byte of the earlier pieces, as a CR may have waited for its LF. An LF there was already checked with its CR.
  const start = bytes[unread] === LF && unread > from ? unread + 1 : unread;
  if (BROKEN_LINE_END.test(bytes.toString('latin1', start))) throw malformed('line end');
}

const LF = 0x0a;
/** An LF without CR before it, or a CR without LF after it. */
const BROKEN_LINE_END = /(?<!\r)\n|\r(?!\n|$)/;
