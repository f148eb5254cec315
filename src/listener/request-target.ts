// The target of a request, as its first line says it: a path, and perhaps a query.

/** What stands behind the `?`, raw; empty where there is none. */
export function queryOf(target: string): string {
  const mark = target.indexOf('?');
  return mark === -1 ? '' : target.slice(mark + 1);
}
