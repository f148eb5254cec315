// Coverage counts the files that a test has loaded. With this one, a file that no test knows of counts too, as uncovered.
import path from 'node:path';
import { test } from 'tap';
import { ROOT, SOURCE_FILES } from './source-imports.ts';

/** Loading it runs a command. It is tested as a process. */
const COMMAND_LINE = 'src/main.ts';

const modules = SOURCE_FILES.filter((file) => file !== COMMAND_LINE && !file.endsWith('.d.ts'));

test('every module can be loaded by itself, and loading it does nothing', async (t) => {
  const before = process.eventNames().length;
  for (const file of modules) t.ok(await import(path.join(ROOT, file)), file);
  t.equal(process.eventNames().length, before, 'nobody listens for signals yet');
  t.ok(modules.length > 50);
});
