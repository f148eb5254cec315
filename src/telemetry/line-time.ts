// Timestamps of log lines, cheap enough for many lines per millisecond.

/**
 * ISO 8601 in UTC with milliseconds. The part down to the second is cached, since thousands of lines share it.
 * @param now epoch milliseconds
 */
export function createLineTime(now: () => number = Date.now): () => string {
  let second = Number.NaN;
  let prefix = '';
  return () => {
    const at = now();
    const ms = ((at % 1000) + 1000) % 1000;
    if (at - ms !== second) {
      second = at - ms;
      prefix = new Date(second).toISOString().slice(0, -4);
    }
    return `${prefix}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
  };
}
