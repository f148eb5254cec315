// "Did you mean": finds the nearest of the known names.

export type NameFinder = (name: string) => string | undefined;

/**
 * Finds the known name nearest to another one, if it is so near that it was probably meant: one slip in a short name, two in a
 * longer one. Case and `-` for `_` do not count.
 */
export function nameFinder(known: Iterable<string>): NameFinder {
  const candidates = Array.from(known, (name) => {
    const plainName = plain(name);
    return { name, plainName, letters: lettersOf(plainName), allowed: name.length <= 5 ? 1 : 2 };
  });
  return (name) => {
    const plainName = plain(name);
    const letters = lettersOf(plainName);
    let nearest: string | undefined;
    let nearestSlips = Number.POSITIVE_INFINITY;
    for (const candidate of candidates) {
      const { allowed } = candidate;
      if (Math.abs(candidate.plainName.length - plainName.length) > allowed) continue;
      // One slip makes at most one letter appear and another disappear. Every variable of the process is compared at start:
      // this spares nearly all of them the exact count, which took 7 ms.
      if (bitsIn(candidate.letters ^ letters) > 2 * allowed) continue;
      const slips = slipsBetween(plainName, candidate.plainName);
      if (slips <= allowed && slips < nearestSlips) {
        nearest = candidate.name;
        nearestSlips = slips;
      }
    }
    return nearest;
  };
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll('-', '_');
}

/** A bit for each letter that occurs; several characters may share one. */
function lettersOf(name: string): number {
  let letters = 0;
  for (let i = 0; i < name.length; i += 1) letters |= 1 << (name.charCodeAt(i) & 31);
  return letters;
}

function bitsIn(letters: number): number {
  let count = 0;
  for (let rest = letters; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/** Letters to insert, drop, replace or swap with their neighbour (optimal string alignment distance). */
function slipsBetween(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const isSame = a[row - 1] === b[column - 1];
      const replaced = (last[column - 1] ?? 0) + (isSame ? 0 : 1);
      let best = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, replaced);
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
