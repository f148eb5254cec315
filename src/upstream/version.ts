// Decides which Cartesia-Version is sent upstream. Pure.
import { isCalendarDate } from '../config/calendar-date.ts';

export type VersionPolicy = 'fill' | 'pin';
export type ResolvedVersion = { readonly version: string } | { readonly invalid: true };

const INVALID: ResolvedVersion = { invalid: true };

/**
 * `fill`: the caller's version passes; if it names none, ours is used. `pin`: always ours. Under both, a version that is no calendar date
 * is invalid, so that a typo shows on the day it is made and not when the policy changes.
 * @param asked the caller's `Cartesia-Version`; `undefined` if it sent none
 */
export function resolveVersion(
  asked: string | undefined,
  ours: { readonly version: string; readonly policy: VersionPolicy },
): ResolvedVersion {
  if (asked === undefined) return { version: ours.version };
  if (!isCalendarDate(asked)) return INVALID;
  return { version: ours.policy === 'pin' ? ours.version : asked };
}
