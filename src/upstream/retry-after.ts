// Reads the Retry-After header of an upstream response. Pure.
// Source: RFC 9110 §10.2.3

/**
 * Seconds to wait, never negative; `null` if the header is absent or unreadable. Reads both forms, seconds and HTTP date.
 * @param nowMs epoch milliseconds, for the date form
 */
export function parseRetryAfter(value: string | readonly string[] | undefined, nowMs: number): number | null {
  if (typeof value !== 'string') return null;
  const text = value.trim();
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  // Every form of an HTTP date starts with the day's name; Date.parse alone would also take "-5" or "1.5".
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, (at - nowMs) / 1_000);
}
