// Reads request targets, as in the request line: a path, and perhaps a query.

/** Most parameters of a query. Cartesia allows 100 key terms (`keyterm`) on a transcription socket, beside about ten others. */
export const PARAMETERS_MAX = 200;

/** The raw text after the `?`; empty if there is none. */
export function queryOf(target: string): string {
  const mark = target.indexOf('?');
  return mark === -1 ? '' : target.slice(mark + 1);
}
