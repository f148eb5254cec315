// Close codes and reasons: which are valid, which are passed on, and what replaces the others.
import { isUtf8 } from 'node:buffer';
import { VIOLATION } from './frame-header.ts';

export interface Closing {
  /** `null` = the close frame had no code. */
  readonly code: number | null;
  readonly reason: string;
}

/** Codes that the broker sends. @see RFC 6455 §7.4.1 and the registry of IANA (1012, 1013) */
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
 * @returns a number: the payload breaks the protocol, and this is the code to close with
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
 * One side's close frame as it is passed on to the other. Codes about a single connection (1002, 1003, 1007, 1010) mean nothing on the
 * other one and become 1011.
 */
export function passedClosing({ code, reason }: Closing): Closing {
  if (code === null || PASSED.has(code) || code >= 3000) return { code, reason };
  return { code: CLOSE.internal, reason };
}

/** 1004, 1005, 1006 and 1015 must never be sent; below 1000, from 1016 to 2999 and from 5000 on nothing is defined. */
function mayBeSent(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code < 5000)
  );
}
