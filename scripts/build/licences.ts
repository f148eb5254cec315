// THIRD-PARTY-LICENSES.txt: whose code is in the bundle and under which terms, as the licences require.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LAST_WRITTEN } from './freshness.ts';

export interface LicenceOptions {
  readonly root: string;
  readonly outdir: string;
  /** Files in the bundle, relative to `root`. */
  readonly inputs: readonly string[];
}

/**
 * Writes the texts, one block per package, and returns the number of packages.
 * @throws Error naming a package that has neither a licence text nor the name of a licence
 */
export async function writeLicences({ root, outdir, inputs }: LicenceOptions): Promise<number> {
  const folders = new Set(
    inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []),
  );
  const blocks = await Promise.all([...folders].map((folder) => describe(path.join(root, folder))));
  const texts = [...new Set(blocks)].sort((a, b) => (a < b ? -1 : 1));
  const rule = `\n${'-'.repeat(80)}\n\n`;
  await writeFile(path.join(outdir, LAST_WRITTEN), texts.join(rule));
  return texts.length;
}

async function describe(folder: string): Promise<string> {
  const about: unknown = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const { name, version, license } = about as { name: string; version: string; license?: string }; // npm requires the first two
  const file = (await readdir(folder)).find((entry) => /^(licen[cs]e|copying)(\.|-|$)/i.test(entry));
  if (file === undefined && license === undefined) throw new Error(`${name} says nothing about its licence`);
  const text =
    file === undefined ? 'The package has no licence text.' : await readFile(path.join(folder, file), 'utf8');
  return `${name} ${version}${license === undefined ? '' : ` (${license})`}\n\n${text.trim()}\n`;
}
