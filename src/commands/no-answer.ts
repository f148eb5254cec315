// Tells an operator why a running broker gave no answer.

/** @param error of a request whose signal aborts after `patienceMs` */
export function whyNoAnswer(error: unknown, patienceMs: number): string {
  if (!(error instanceof Error)) return 'not reached: unknown error';
  if (error.name === 'AbortError') return `no answer within ${patienceMs} ms`;
  return `not reached: ${'code' in error ? String(error.code) : error.name}`;
}
