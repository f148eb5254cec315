// Runs deploy/make-secrets.sh as an operator would, in a folder of the test.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Test } from 'tap';
import { ROOT } from '../source-imports.ts';

export interface MadeSecrets {
  /** Contains `secrets/`. */
  readonly folder: string;
  readonly output: string;
  readonly appKey: string;
}

export function makeSecrets(t: Test, apiKey: string): MadeSecrets {
  const folder = t.testdir({});
  const output = runScript(folder, { CARTESIA_API_KEY: apiKey });
  const [, appKey = ''] = /^ {2}(cb_[\w-]{43})$/m.exec(output) ?? [];
  return { folder, output, appKey };
}

/** Runs a copy, because the script works on the parent of its own folder. */
export function runScript(folder: string, env: Readonly<Record<string, string>>): string {
  copyScript(folder);
  return execFileSync('sh', [path.join(folder, 'deploy/make-secrets.sh')], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
}

export function copyScript(folder: string): void {
  mkdirSync(path.join(folder, 'deploy'), { recursive: true });
  cpSync(path.join(ROOT, 'deploy/make-secrets.sh'), path.join(folder, 'deploy/make-secrets.sh'));
}
