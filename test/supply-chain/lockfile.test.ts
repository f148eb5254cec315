// Which packages are installed, in which versions, and from where.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'tap';
import { ROOT } from '../source-imports.ts';

interface LockEntry {
  readonly version: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
  readonly overrides?: unknown;
}

const read = (file: string): unknown => JSON.parse(readFileSync(path.join(ROOT, file), 'utf8'));
const manifest = read('package.json') as Manifest;
const lock = read('package-lock.json') as { readonly packages: Readonly<Record<string, LockEntry>> };

/** Every installed copy of every package; the entry with the empty path is our own. */
const installed = Object.entries(lock.packages)
  .filter(([folder]) => folder !== '')
  .map(([folder, entry]) => ({ ...entry, folder, name: folder.slice(folder.lastIndexOf('node_modules/') + 13) }));
const shipped = installed.filter(({ dev }) => dev !== true);

/** The first versions with fixes for request smuggling, header injection and denial of service. */
const LOWEST: Readonly<Record<string, string>> = { fastify: '5.12.8', undici: '8.12.0', ws: '8.23.0', jose: '6.2.0' };

const FORBIDDEN = ['@fastify/reply-from', '@fastify/http-proxy', 'http-proxy', 'axios', 'jsonwebtoken'];

/** Compares the parts numerically. */
function isAtLeast(version: string, lowest: string): boolean {
  const [a, b] = [version, lowest].map((text) => text.split('.').map((part) => Number.parseInt(part, 10)));
  for (const [index, wanted] of (b ?? []).entries()) {
    const has = a?.[index] ?? 0;
    if (has !== wanted) return has > wanted;
  }
  return true;
}

test('versions are compared by number', async (t) => {
  t.ok(isAtLeast('8.12.4', '8.12.0'));
  t.ok(isAtLeast('10.0.0', '9.9.9'));
  t.notOk(isAtLeast('8.9.0', '8.12.0'));
  t.notOk(isAtLeast('5.12.7', '5.12.8'));
});

test('shipped packages have at least the first fixed version', async (t) => {
  for (const [name, lowest] of Object.entries(LOWEST)) {
    const copies = shipped.filter((entry) => entry.name === name);
    t.ok(copies.length > 0, `${name} is installed`);
    for (const { version, folder } of copies) t.ok(isAtLeast(version, lowest), `${folder} ${version} >= ${lowest}`);
  }
});

test('packages with their own way of carrying traffic or tokens are nowhere in the tree', async (t) => {
  t.strictSame(
    installed.filter(({ name }) => FORBIDDEN.includes(name)).map(({ folder }) => folder),
    [],
  );
});

test('every package is pinned by its hash and comes from the npm registry', async (t) => {
  t.ok(installed.length > 100);
  t.strictSame(
    installed
      .filter(({ integrity }) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ''))
      .map(({ folder }) => folder),
    [],
    'SHA-512 for each',
  );
  t.strictSame(
    installed
      .filter(
        ({ resolved, link }) =>
          link === true || !(resolved ?? 'https://registry.npmjs.org/').startsWith('https://registry.npmjs.org/'),
      )
      .map(({ folder }) => folder),
    [],
    'no other source, no link',
  );
  const ranges = Object.values({ ...manifest.dependencies, ...manifest.devDependencies });
  t.strictSame(
    ranges.filter((range) => !/^(npm:@?[\w./-]+@)?[\^~]?\d+\.\d+\.\d+$/.test(range)),
    [],
    'no URL, no git, no tag, no star',
  );
});

test('no shipped package runs a script on installation', async (t) => {
  t.strictSame(
    shipped.filter(({ hasInstallScript }) => hasInstallScript).map(({ folder }) => folder),
    [],
  );
  const scripted = installed.filter(({ hasInstallScript }) => hasInstallScript).map(({ name }) => name);
  t.strictSame(scripted.sort(), Object.keys(manifest.allowScripts).sort(), 'and of the tools, only the allowed ones');
});

test('docs/dependencies.md gives a reason for every run-time dependency, and lists no others', async (t) => {
  const document = readFileSync(path.join(ROOT, 'docs/dependencies.md'), 'utf8');
  const [, section = ''] = document.split(/^## .*$/m);
  const rows = [...section.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)].map(([, name = '', reason = '']) => ({
    name,
    reason,
  }));
  t.strictSame(rows.map(({ name }) => name).sort(), Object.keys(manifest.dependencies).sort());
  for (const { name, reason } of rows) t.ok(reason.length > 15, name);
  for (const name of FORBIDDEN) t.match(document, `\`${name}\``, `${name}: the docs say why not`);
});

test('a release can list its components', async (t) => {
  const document = readFileSync(path.join(ROOT, 'docs/dependencies.md'), 'utf8');
  const [, options = ''] = /`npm sbom ([^`]+)`/.exec(document) ?? [];
  const sbom = execFileSync('npm', ['sbom', ...options.split(' ')], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  });
  const { bomFormat, components } = JSON.parse(sbom) as {
    readonly bomFormat: string;
    readonly components: readonly {
      readonly name: string;
      readonly scope: string;
      readonly hashes?: readonly unknown[];
    }[];
  };
  t.equal(bomFormat, 'CycloneDX');
  const required = new Set(components.filter(({ scope }) => scope === 'required').map(({ name }) => name));
  t.strictSame(
    [...required].sort(),
    [...new Set(shipped.map(({ name }) => name))].sort(),
    'and nothing that only tools need',
  );
  t.ok(components.every(({ hashes }) => hashes?.length));
});

test('a clone is whole where NODE_ENV says production', async (t) => {
  const env = { ...process.env, NODE_ENV: 'production' };
  const included = execFileSync('npm', ['config', 'get', 'include'], { cwd: ROOT, encoding: 'utf8', env });
  t.equal(included.trim(), 'dev');
});
