// npm run build:client: makes client/, the token helper for apps as the package ships it: one JavaScript file and its types.
import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = process.argv[2] ?? fileURLToPath(new URL('../client', import.meta.url));

await rm(outdir, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: ['src/client/index.ts'],
  outdir,
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2020', // React Native's engine
  logLevel: 'error',
});
// tsconfig.json is for checking only, so all options for emitting stand here.
const options =
  '--ignoreConfig --declaration --emitDeclarationOnly --rewriteRelativeImportExtensions --strict --skipLibCheck';
const settings = '--target es2020 --lib es2022,dom --module nodenext --types node';
execFileSync(
  process.execPath,
  [
    fileURLToPath(import.meta.resolve('typescript/package.json')).replace('package.json', 'lib/tsc.js'),
    'src/client/index.ts',
    ...`${options} ${settings}`.split(' '),
    '--outDir',
    outdir,
  ],
  { cwd: root, stdio: 'inherit' },
);
// The declarations import their neighbours as `.ts`, like the source; those files are not in the package.
for (const name of (await readdir(outdir)).filter((file) => file.endsWith('.d.ts'))) {
  const file = path.join(outdir, name);
  await writeFile(file, (await readFile(file, 'utf8')).replaceAll(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'"));
}
