// Determines a request's API version, and the form of errors that goes with it.

/** A resolved `Cartesia-Version`. */
export interface ApiVersion {
  /** A valid date, or null if the request names no version or the version is not a date. */
  readonly date: string | null;
  /** Whether errors are the structured object instead of the older text. */
  readonly structured: boolean;
}

/**
 * The query takes precedence over the header, and counts on WebSockets only. A version that is not a date is not refused;
 * it gets the older error forms.
 * @see https://docs.cartesia.ai/use-the-api/api-conventions
 */
export function resolveVersion(
  settings: { readonly structuredSince: string; readonly structuredWithoutVersion: boolean },
  named: { readonly header: string | undefined; readonly query?: string | null | undefined },
): ApiVersion {
  const value = named.query ?? named.header;
  if (value === undefined) return { date: null, structured: settings.structuredWithoutVersion };
  const date = isDate(value) ? value : null;
  return { date, structured: date !== null && date >= settings.structuredSince };
}

/** Whether the version is known to be older than `date`; a request without a version never is. */
export function isBefore(version: ApiVersion, date: string): boolean {
  return version.date !== null && version.date < date;
}

function isDate(value: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(value)) return false;
  const time = Date.parse(`${value}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value);
}
