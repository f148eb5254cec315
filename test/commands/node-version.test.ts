import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'tap';
import { complaintAboutNode } from '../../src/commands/node-version.ts';
import { ROOT } from '../source-imports.ts';

test('a Node that package.json does not take is named, and what it takes is said', async (t) => {
  const { engines } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    readonly engines: { readonly node: string };
  };
  const [, oldest = ''] = /^>=([\d.]+)$/.exec(engines.node) ?? [];
  for (const version of ['18.20.8', '20.20.2', '22.18.0', '22.9.0', '9.99.0'])
    t.equal(complaintAboutNode(version), `cartesia-broker needs Node ${oldest} or newer, but this is ${version}.`);
  for (const version of [`${oldest}.0`, '22.20.0', '23.0.0', '24.21.0', '100.0.0', '24.0.0-nightly'])
    t.equal(complaintAboutNode(version), null, version);
});

test('on an older Node a command does not begin; help and version are shown', async (t) => {
  const older = `data:text/javascript,${encodeURIComponent(
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })",
  )}`;
  const run = (...argv: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', older, path.join(ROOT, 'src/main.ts'), ...argv],
      { encoding: 'utf8' },
    );
    return [status, stdout.split('\n')[0], stderr];
  };
  t.strictSame(run('key'), [1, '', 'cartesia-broker needs Node 22.19 or newer, but this is 20.20.2.\n']);
  t.match(run('--help'), [0, /^Usage: cartesia-broker/, '']);
  t.match(run('--version'), [0, /^\d/, '']);
});
