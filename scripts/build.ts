// npm run build: makes dist/, all that the broker needs to run besides a Node binary. `npm run types` checks the types, not this.
//   --if-stale   only if a source file is newer than the last build
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isFresh } from './build/freshness.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = fileURLToPath(new URL('../dist', import.meta.url));

const unknown = process.argv.slice(2).filter((argument) => argument !== '--if-stale');
if (unknown.length > 0) {
  console.error(`Unknown option: ${unknown.join(' ')}`);
  process.exitCode = 2;
} else if (process.argv.includes('--if-stale') && isFresh(root, outdir)) {
  // Nothing to do and nothing is loaded, so `npm start` also works where development dependencies are not installed.
} else {
  const [{ bundle }, { writeLicences }] = await Promise.all([
    import('./build/bundle.ts'),
    import('./build/licences.ts'),
  ]);
  await rm(outdir, { recursive: true, force: true });
  const built = await bundle({ root, outdir });
  const packages = await writeLicences({ root, outdir, inputs: built.inputs });
  const kilobytes = Math.round(built.bytes / 1000);
  console.log(`dist/: ${built.files} files, ${kilobytes} kB, with the code of ${packages} packages`);
}
