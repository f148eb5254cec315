// Coverage counts only loaded files. This test loads all of them, so that a file without tests counts as uncovered.
import path from 'node:path';
import { test } from 'tap';
import { ROOT, SOURCE_FILES } from './source-imports.ts';

/** Loading this file runs a command; it is tested as a process. */
const COMMAND_LINE = 'src/main.ts';

const modules = SOURCE_FILES.filter((file) => file !== COMMAND_LINE && !file.endsWith('.d.ts'));

test('every module can be loaded alone, and loading it has no side effects', async (t) => {
  const before = process.eventNames().length;
  for (const file of modules) t.ok(await import(path.join(ROOT, file)), file);
  t.equal(process.eventNames().length, before, 'no signal listeners yet');
  t.ok(modules.length > 50);
});
