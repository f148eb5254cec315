// Calendar dates, which name the versions of the API. Pure.

const DATE = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/;
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;

/** Whether a text is `YYYY-MM-DD` and a day that exists: 2024-02-29 is one, 2026-02-29, 2026-02-30 and 0000-01-01 are not. */
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
