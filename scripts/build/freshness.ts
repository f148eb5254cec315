// Tells whether dist/ was built from the current source files.
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';

/** Everything that a build is made from, besides what package-lock.json pins. */
const SOURCES = ['src', 'scripts/build', 'scripts/build.ts', 'docs/openapi.json', 'package.json', 'package-lock.json'];

/** Written last, so an interrupted build does not count as one. */
export const LAST_WRITTEN = 'THIRD-PARTY-LICENSES.txt';

/** By modification times: no file of `root` that goes into the build is newer than the build in `outdir`. */
export function isFresh(root: string, outdir: string): boolean {
  const builtAt = modifiedAt(path.join(outdir, LAST_WRITTEN));
  return builtAt !== null && SOURCES.every((source) => newestIn(path.join(root, source)) <= builtAt);
}

/** Epoch milliseconds; a folder's own time counts too, because deleting a file in it changes nothing else. */
function newestIn(file: string): number {
  const newest = modifiedAt(file) ?? 0;
  if (newest === 0 || !statSync(file).isDirectory()) return newest;
  return readdirSync(file).reduce((latest, name) => Math.max(latest, newestIn(path.join(file, name))), newest);
}

function modifiedAt(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}
