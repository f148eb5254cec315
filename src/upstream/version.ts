// Which Cartesia-Version goes upstream. Pure.

export type VersionPolicy = 'fill' | 'pin';
export type ResolvedVersion = { readonly version: string } | { readonly invalid: true };

const INVALID: ResolvedVersion = { invalid: true };
const DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

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

/** `YYYY-MM-DD` and a day that exists: 2024-02-29 is one, 2026-02-29, 2026-02-30 and 0000-01-01 are none. */
export function isCalendarDate(text: string): boolean {
  const parts = DATE.exec(text);
  if (parts === null) return false;
  const year = Number(parts[1]);
  const month = Number(parts[2]);
  const day = Number(parts[3]);
  const days = DAYS[month - 1];
  if (days === undefined || day < 1 || year < 1) return false;
  return day <= (month === 2 && isLeapYear(year) ? 29 : days);
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}
