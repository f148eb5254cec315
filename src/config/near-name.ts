// "Did you mean": the nearest of the known names.

/**
 * The known name nearest to `name`, if it is so near that it was probably meant: one slip in a short name, two in a longer
 * one. Case and `-` for `_` count as no slip.
 */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  if (name.length > 64) return undefined;
  let nearest: string | undefined;
  let nearestSlips = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const allowed = candidate.length <= 5 ? 1 : 2;
    if (Math.abs(candidate.length - name.length) > allowed) continue;
    const slips = slipsBetween(plain(name), plain(candidate));
    if (slips <= allowed && slips < nearestSlips) {
      nearest = candidate;
      nearestSlips = slips;
    }
  }
  return nearest;
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll('-', '_');
}

/** Letters to insert, drop, replace or swap with their neighbour (optimal string alignment distance). */
function slipsBetween(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      const cost = (last[column - 1] ?? 0) + (isSame ? 0 : 1);
      let best = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, cost);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
