// Checks every import in src, type imports included, against the layers ("floors") that the folders ("rooms") of src form.
import { build } from 'esbuild';
import { test } from 'tap';
import { importsOf, ROOT, SOURCE_FILES } from './source-imports.ts';

/** From top to bottom. A file may import from its own folder and from lower floors, never sideways or up. */
const FLOORS: readonly (readonly string[])[] = [
  ['main.ts'],
  ['commands'],
  ['broker.ts'],
  ['broker'],
  ['app.ts'],
  ['tokens', 'proxy', 'management', 'reference'],
  ['admission'],
  ['identity', 'policy', 'limits', 'upstream'],
  ['usage'],
  ['store'],
  ['listener'],
  ['telemetry'],
  ['errors', 'config', 'json', 'collections', 'html'],
];

/** These share no code with the broker, so that they cannot share its mistakes. Only commands may use them. */
const OUTBUILDINGS: readonly string[] = ['simulator', 'client'];

/** Decisions and texts: nothing that they import, directly or indirectly, may read or send data. */
const PURE: readonly string[] = ['policy', 'errors'];

/** Those of Node's own modules that only compute. */
const COMPUTES: ReadonlySet<string> = new Set(['node:buffer', 'node:crypto', 'node:util', 'node:url']);

/** Packages that only compute. `fastify-plugin` only marks a function, whose caller passes it the server. */
const COMPUTING_PACKAGES: ReadonlySet<string> = new Set(['fastify-plugin', 'typebox']);

/** Pure files that import a module with more abilities, and that module; see the comment for what they use. */
const EXCEPTIONS: ReadonlyMap<string, string> = new Map([
  ['src/errors/raw-response.ts', 'node:http'], // STATUS_CODES, a table of words
]);

/** `src/policy/policy.ts` -> `policy`; `src/app.ts` -> `app.ts`. */
const roomOf = (file: string): string => file.split('/')[1] ?? '';
const floorOf = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room));
const isOurs = (target: string): boolean => target.startsWith('src/');

const EDGES = SOURCE_FILES.flatMap((file) => importsOf(file).map((found) => ({ file, ...found })));
const BETWEEN_ROOMS = EDGES.filter(({ file, target }) => isOurs(target) && roomOf(file) !== roomOf(target));

test('every file is in a known folder', async (t) => {
  const known = new Set([...FLOORS.flat(), ...OUTBUILDINGS]);
  t.strictSame(
    SOURCE_FILES.filter((file) => !known.has(roomOf(file))),
    [],
  );
  t.ok(SOURCE_FILES.length > 50);
});

test('imports point down, never sideways or up', async (t) => {
  const wrong = BETWEEN_ROOMS.filter(({ file, target }) => {
    if (OUTBUILDINGS.includes(roomOf(file)) || OUTBUILDINGS.includes(roomOf(target))) return false;
    return floorOf(roomOf(file)) >= floorOf(roomOf(target));
  });
  t.strictSame(
    wrong.map(({ file, target }) => `${file} -> ${target}`),
    [],
  );
  t.ok(BETWEEN_ROOMS.length > 50, 'imports were found');
});

test('the simulator and the client share no code with the rest', async (t) => {
  const wrong = BETWEEN_ROOMS.filter(({ file, target }) => {
    if (OUTBUILDINGS.includes(roomOf(file))) return true;
    return OUTBUILDINGS.includes(roomOf(target)) && roomOf(file) !== 'commands';
  });
  t.strictSame(
    wrong.map(({ file, target }) => `${file} -> ${target}`),
    [],
  );
});

test('the helper for apps imports nothing but itself: it runs without Node', async (t) => {
  const imports = EDGES.filter(({ file }) => roomOf(file) === 'client');
  t.strictSame(
    imports.filter(({ target }) => roomOf(target) !== 'client'),
    [],
  );
  t.ok(imports.length > 3);
});

test('no file imports itself through others', async (t) => {
  const targets = new Map(SOURCE_FILES.map((file) => [file, importsOf(file).map(({ target }) => target)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) cycles.push([...way.slice(way.indexOf(file)), file].join(' -> '));
    if (way.includes(file) || done.has(file)) return;
    for (const target of targets.get(file) ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const file of SOURCE_FILES) visit(file, []);
  t.strictSame(cycles, []);
});

test('every import of our own files names an existing file', async (t) => {
  const files = new Set(SOURCE_FILES);
  const missing = EDGES.filter(({ target }) => isOurs(target) && !files.has(target));
  t.strictSame(missing, []);
});

test('policy and errors can neither read nor send data', async (t) => {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const { target, isType } of importsOf(file)) if (isOurs(target) && !isType) visit(target);
  };
  for (const file of SOURCE_FILES) if (PURE.includes(roomOf(file))) visit(file);
  const wrong = [...reached].flatMap((file) =>
    importsOf(file)
      .filter(({ target, isType }) => !isType && !isOurs(target))
      .filter(({ target }) => !COMPUTES.has(target) && !COMPUTING_PACKAGES.has(target))
      .filter(({ target }) => EXCEPTIONS.get(file) !== target)
      .map(({ target }) => `${file} -> ${target}`),
  );
  t.strictSame(wrong, []);
});

test('this test finds every import that the bundler finds', async (t) => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/main.ts'],
    bundle: true,
    write: false,
    metafile: true,
    splitting: true,
    format: 'esm',
    outdir: 'nowhere',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  const inputs = Object.entries(metafile.inputs).filter(([file]) => file.endsWith('.ts'));
  for (const [file, { imports }] of inputs) {
    const found = new Set(importsOf(file).map(({ target }) => target));
    const missed = imports.filter(({ path, original = path }) => !found.has(path) && !found.has(original));
    t.strictSame(missed, [], file);
  }
  t.ok(inputs.length > 50);
});
