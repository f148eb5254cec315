// Close codes and reasons: which may come, which are passed on, and what becomes of the rest.
import { isUtf8 } from 'node:buffer';
import { VIOLATION } from './frame-header.ts';

export interface Closing {
  /** `null` = the close frame said nothing. */
  readonly code: number | null;
  readonly reason: string;
}

/** Ours. @see RFC 6455 §7.4.1 and the registry of IANA (1012, 1013) */
export const CLOSE = {
  normal: 1000,
  goingAway: 1001,
  policy: 1008,
  internal: 1011,
  restart: 1012,
  tryLater: 1013,
} as const;

const PASSED: ReadonlySet<number> = new Set([1000, 1001, 1008, 1009, 1011, 1012, 1013]);

/**
 * @param payload of a close frame, unmasked
 * @returns a number: the payload breaks the protocol, and this is the code to answer with
 */
export function readClose(payload: Buffer): Closing | number {
  if (payload.length === 0) return { code: null, reason: '' };
  if (payload.length === 1) return VIOLATION.protocol;
  const code = payload.readUInt16BE(0);
  if (!mayBeSent(code)) return VIOLATION.protocol;
  const reason = payload.subarray(2);
  return isUtf8(reason) ? { code, reason: reason.toString('utf8') } : VIOLATION.notUtf8;
}

/**
 * What one side's closing looks like on the other side. Codes about the connection between two endpoints (1002, 1003, 1007, 1010) say
 * nothing about the next connection and become 1011.
 */
export function passedClosing({ code, reason }: Closing): Closing {
  if (code === null || PASSED.has(code) || code >= 3000) return { code, reason };
  return { code: CLOSE.internal, reason };
}

/** 1004, 1005, 1006 and 1015 are never sent; below 1000 and from 5000 on nothing is defined. */
function mayBeSent(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code < 5000)
  );
}
