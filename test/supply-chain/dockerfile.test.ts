// The Dockerfile as text; `npm run test:image` tests the image built from it.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'tap';
import { ROOT } from '../source-imports.ts';

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

/** Instructions with their continuation lines, without comments. */
const instructions = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '');
const last = (name: string): string => instructions.findLast((line) => line.startsWith(`${name} `)) ?? '';
const finalStage = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')));

test('the only base image is pinned by digest, with the Node version of the tests', async (t) => {
  const [, version] =
    /^ARG NODE_IMAGE=docker\.io\/library\/node:([\d.]+)-bookworm-slim@sha256:[0-9a-f]{64}$/.exec(
      instructions[0] ?? '',
    ) ?? [];
  const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { version: string }> };
  t.equal(version, lock.packages['node_modules/node']?.version);
  const bases = instructions.filter((line) => line.startsWith('FROM ')).map((line) => line.split(' ')[1]);
  const pinned = '$' + '{NODE_IMAGE}';
  t.strictSame(bases, [pinned, pinned, 'scratch']);
});

test('the image is built in stages and ends as a numeric user, without a shell', async (t) => {
  t.match(finalStage[0], 'FROM scratch');
  t.match(
    finalStage.findLast((line) => line.startsWith('USER ')),
    /^USER [1-9]\d*:[1-9]\d*$/,
  );
  t.notOk(finalStage.some((line) => line.startsWith('RUN ')));
  for (const name of ['ENTRYPOINT', 'CMD']) t.match(last(name), new RegExp(`^${name} \\[".*"\\]$`));
  t.match(last('HEALTHCHECK'), / CMD \["node", "\/app\/dist\/main\.js", "healthcheck"\]$/);
  t.match(last('ENTRYPOINT'), '--disable-sigusr1');
  t.match(last('STOPSIGNAL'), 'STOPSIGNAL SIGTERM');
});

test('npm start runs Node with the options of the image, and reads .env', async (t) => {
  const words = JSON.parse(last('ENTRYPOINT').replace('ENTRYPOINT ', '')) as readonly string[];
  const options = words.filter((word) => word.startsWith('--')).join(' ');
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  t.match(scripts['start'], `exec node ${options} --env-file-if-exists=.env dist/main.js serve`);
});

test('the build runs no package scripts, and no secret can get into it', async (t) => {
  t.ok(instructions.some((line) => /^RUN npm ci .*--ignore-scripts/.test(line)));
  t.notOk(instructions.some((line) => /^(?:ENV|ARG) .*(?:KEY|TOKEN|SECRET|PASSWORD)/i.test(line)));
  t.notOk(instructions.some((line) => line.startsWith('ADD ') || /^COPY \. /.test(line)));
});

test('it copies existing files only, and the build context contains nothing else', async (t) => {
  const copied = instructions
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
    .flatMap((line) => line.split(/\s+/).slice(1, -1))
    .map((source) => source.replace(/^\.\//, ''));
  for (const source of copied) t.ok(existsSync(path.join(ROOT, source)), source);
  const [all, ...allowed] = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  t.equal(all, '*', 'everything is excluded unless named');
  const roots = (names: readonly string[]): string[] =>
    [...new Set(names.map((name) => name.split('/')[0] ?? ''))].sort();
  t.strictSame(roots(allowed.map((line) => line.replace(/^!/, ''))), roots(copied));
});
