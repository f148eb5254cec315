// npm run docs: writes every page that is made from code. `--check` compares instead, and fails if one is stale.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PAGES } from './docs/pages.ts';

const ROOT = join(import.meta.dirname, '..');

const isCheck = process.argv.includes('--check');
for (const page of PAGES) {
  const file = join(ROOT, page.path);
  const text = await page.generate();
  if (isCheck && readIfThere(file) !== text) {
    console.error(`${page.path} is stale: run \`npm run docs\` and commit it`);
    process.exitCode = 1;
  } else if (!isCheck) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(page.path);
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
