// The tarball that `npm pack` makes.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'tap';
import { ROOT } from '../source-imports.ts';
import { buildPackage } from './built-package.ts';

const SECRET = 'sk_car_canary_in_the_working_tree';

/** Made by the build, so not in the repository. */
const BUILT = ['dist', 'client'];

/** Files of a working tree that must not be packed. */
const DECOYS = [
  '.env',
  '.env.local',
  'secrets/cartesia_api_key',
  'src/main.ts',
  'test/a.test.ts',
  '.tap/report',
  'demo.wav',
  '.npmrc',
];

test('the package contains the bundle and its documents, and nothing else', async (t) => {
  const { folder } = await buildPackage(t);
  const { files, bin } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    readonly files: readonly string[];
    readonly bin: Readonly<Record<string, string>>;
  };
  const kept = files.filter((file) => !BUILT.includes(file)).map((file) => file.replace('/*.md', ''));
  for (const name of [...kept, 'README.md', 'LICENSE']) {
    t.ok(existsSync(path.join(ROOT, name)), `${name} exists`);
    cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  }
  for (const name of DECOYS) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), name === '.npmrc' ? '' : SECRET);
  }

  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  ) as { readonly filename: string; readonly files: readonly { readonly path: string; readonly mode: number }[] }[];
  const paths = packed?.files.map((file) => file.path) ?? [];
  const expected =
    /^(dist\/[\w.-]+\.(js|txt)|package\.json|README\.md|LICENSE|CHANGELOG\.md|config\.schema\.json|\.env\.example|docs\/[\w-]+\.md)$/;
  t.strictSame(
    paths.filter((name) => !expected.test(name)),
    [],
  );
  for (const name of [
    'dist/main.js',
    'dist/THIRD-PARTY-LICENSES.txt',
    'LICENSE',
    'README.md',
    'config.schema.json',
    '.env.example',
  ])
    t.ok(paths.includes(name), name);
  t.equal(bin['cartesia-broker'], 'dist/main.js');
  t.equal(packed?.files.find((file) => file.path === 'dist/main.js')?.mode, 0o755, 'it is executable');

  const everything = execFileSync('tar', ['-xzOf', path.join(folder, packed?.filename ?? '')], {
    maxBuffer: 64 * 1024 * 1024,
  });
  t.notOk(everything.includes(SECRET), 'no secret');
  t.notOk(everything.includes('sourceMappingURL='), 'no source map, so none with outside sources');
});

test('a package is never made from an old build', async (t) => {
  const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  t.equal(scripts['prepack'], 'npm run build && npm run build:client');
});
