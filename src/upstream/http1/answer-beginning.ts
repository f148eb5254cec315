// What has come of an answer's head while its end has not: whether it can still become one.
import { malformed } from './answer-head.ts';

const STATUS_LINE_START = 'HTTP/1.';

/**
 * What does not begin as an answer, or has lines that end in another way, is refused now: its end would never come.
 * @param unread where the bytes begin that have not been looked at
 * @throws UpstreamFailure `malformed`
 */
export function checkBeginning(bytes: Buffer, from: number, unread: number): void {
  const text = bytes.toString('latin1', from, Math.min(bytes.length, from + STATUS_LINE_START.length));
  if (!STATUS_LINE_START.startsWith(text)) throw malformed('status line');
  // The last byte of before is looked at again: a CR may have waited for its LF. An LF has been found good with the byte before it.
  const start = bytes[unread] === LF && unread > from ? unread + 1 : unread;
  if (BROKEN_LINE_END.test(bytes.toString('latin1', start))) throw malformed('line end');
}

const LF = 0x0a;
/** LF without CR before it, CR without LF behind it. */
const BROKEN_LINE_END = /(?<!\r)\n|\r(?!\n|$)/;
