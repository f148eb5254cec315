// Builds the package as `npm pack` finds it, in a folder of the test.
import { cpSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { bundle } from '../../scripts/build/bundle.ts';
import { writeLicences } from '../../scripts/build/licences.ts';
import { ROOT } from '../source-imports.ts';

export interface BuiltPackage {
  readonly folder: string;
  /** The command line. */
  readonly main: string;
  /** Files whose code is in the bundle, relative to the root of the repository. */
  readonly inputs: readonly string[];
}

export async function buildPackage(t: Test): Promise<BuiltPackage> {
  const folder = t.testdir({});
  const outdir = path.join(folder, 'dist');
  const { inputs } = await bundle({ root: ROOT, outdir });
  await writeLicences({ root: ROOT, outdir, inputs });
  cpSync(path.join(ROOT, 'package.json'), path.join(folder, 'package.json'));
  return { folder, main: path.join(outdir, 'main.js'), inputs };
}
