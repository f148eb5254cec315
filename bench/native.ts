// Compiles the C programs when one of their sources is newer. They are in C because a load generator in Node needs more CPU for a
// request than nginx needs to carry it, and would measure itself.
import { execFileSync } from 'node:child_process';
import { readdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { BENCH, BUILD } from './places.ts';

export type NativeProgram = 'load' | 'sockets' | 'upstream';

const SOURCES = path.join(BENCH, 'native');

/** @returns the path of the program */
export function compile(program: NativeProgram): string {
  const binary = path.join(BUILD, program);
  const newest = Math.max(...readdirSync(SOURCES).map((file) => statSync(path.join(SOURCES, file)).mtimeMs));
  const built = statSync(binary, { throwIfNoEntry: false });
  if (built === undefined || built.mtimeMs < newest) {
    const fresh = `${binary}-${process.pid}`; // another run may be starting the old one just now
    const source = path.join(SOURCES, `${program}.c`);
    execFileSync('gcc', ['-O2', '-Wall', '-Wextra', '-Werror', '-o', fresh, source], { stdio: 'inherit' });
    renameSync(fresh, binary);
  }
  return binary;
}
