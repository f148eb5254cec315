// Reads request targets, as in the request line: a path, and perhaps a query.

/** The raw text after the `?`; empty if there is none. */
export function queryOf(target: string): string {
  const mark = target.indexOf('?');
  return mark === -1 ? '' : target.slice(mark + 1);
}
