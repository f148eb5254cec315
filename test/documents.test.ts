// Checks the documents: their tables against GitHub's rendering, and the metrics that they name against the source.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'tap';
import { filesUnder, ROOT, SOURCE_FILES } from './source-imports.ts';

const PAGES = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...filesUnder('docs', '.md')];

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

test('every table row has as many cells as the table has columns', async (t) => {
  const rows = PAGES.flatMap((page) => tableRows(page));
  t.ok(rows.length > 300);
  for (const { place, cells, columns } of rows) t.equal(cells, columns, place);
});

test('every metric named in a document exists', async (t) => {
  const metrics = new Set(SOURCE_FILES.flatMap((file) => read(file).match(/(?<=name: ')broker_\w+/g) ?? []));
  const named = PAGES.flatMap((page) => (read(page).match(/\bbroker_\w+/g) ?? []).map((name) => ({ page, name })));
  t.ok(named.length > 30);
  for (const { page, name } of named) t.ok(metrics.has(name), `${page}: ${name}`);
});

test('every explained reason for a refused credential exists', async (t) => {
  const source = SOURCE_FILES.map(read).join('');
  const table = /### Refused credentials\n([\s\S]*?)\n## /.exec(read('docs/operation.md'))?.[1] ?? '';
  const explained = table.split('\n').flatMap((row) => row.split('|')[1]?.match(/\b[a-z]+(_[a-z]+)+\b/g) ?? []);
  t.ok(explained.length > 20);
  for (const reason of explained) t.ok(source.includes(`'${reason}'`), reason);
});

test('no example shows the hash of an app key: a copied one would admit everybody who knows the key', async (t) => {
  const shown = [...PAGES, '.env.example', ...filesUnder('examples', '.md'), ...filesUnder('deploy', '.yaml')];
  t.ok(shown.length > 20);
  for (const page of shown) t.notMatch(read(page), /["= ]sha256:[0-9a-f]{64}\b/i, page);
});

/** As GitHub counts: a bar separates cells even inside code, unless a backslash precedes it. */
function tableRows(page: string): { readonly place: string; readonly cells: number; readonly columns: number }[] {
  const lines = read(page)
    .replace(/```[\s\S]*?```/g, (code) => code.replace(/[^\n]/g, ''))
    .split('\n');
  const rows: { place: string; cells: number; columns: number }[] = [];
  let columns = 0;
  for (const [at, line] of lines.entries()) {
    const cells = line.startsWith('|') ? line.replace(/\\\|/g, '').split('|').length - 2 : 0;
    if (columns === 0 || cells === 0)
      columns = cells; // the first line of a table sets the number of columns
    else rows.push({ place: `${page}:${at + 1}`, cells, columns });
  }
  return rows;
}
