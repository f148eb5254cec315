// Which Cartesia-Version goes upstream. Pure.
import { isCalendarDate } from '../config/calendar-date.ts';

export type VersionPolicy = 'fill' | 'pin';
export type ResolvedVersion = { readonly version: string } | { readonly invalid: true };

const INVALID: ResolvedVersion = { invalid: true };

/**
 * `fill`: a version that the caller names passes, ours stands in where it names none. `pin`: always ours. Under both a
 * version that is no calendar date is invalid, so that a typo is seen on the day it is made and not when the policy changes.
 * @param asked the caller's `Cartesia-Version`; `undefined` where it sent none
 */
export function resolveVersion(
  asked: string | undefined,
  ours: { readonly version: string; readonly policy: VersionPolicy },
): ResolvedVersion {
  if (asked === undefined) return { version: ours.version };
  if (!isCalendarDate(asked)) return INVALID;
  return { version: ours.policy === 'pin' ? ours.version : asked };
}
