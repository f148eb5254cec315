// A rate as operators write it: `30/minute`.
import type { Rate } from './config.ts';

const WINDOWS_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

/** The form of a rate, for JSON Schema: at most 999,999,999 in a window. */
export const RATE_PATTERN = `[1-9][0-9]{0,8}/(?:${Object.keys(WINDOWS_MS).join('|')})`;

const RATE = new RegExp(`^${RATE_PATTERN}$`);

/** `30/minute` -> { max: 30, windowMs: 60000 }; `undefined` if it is not a rate. */
export function parseRate(text: string): Rate | undefined {
  if (!RATE.test(text)) return undefined;
  const [max, window] = text.split('/');
  return { max: Number(max), windowMs: WINDOWS_MS[window as keyof typeof WINDOWS_MS] };
}

/** The way back: { max: 30, windowMs: 60000 } -> `30/minute`. */
export function formatRate({ max, windowMs }: Rate): string {
  const [window] = Object.entries(WINDOWS_MS).find(([, ms]) => ms === windowMs) ?? [`${windowMs} ms`];
  return `${max}/${window}`;
}
