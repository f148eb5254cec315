// The log output of a real process: what it writes, in how many writes, and however the process ends.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { createLogOutput } from '../../src/telemetry/log-output.ts';

const MODULE = new URL('../../src/telemetry/log-output.ts', import.meta.url).href;

async function outputOf(script: string): Promise<{ text: string; code: number | null }> {
  const source = `import { createLogOutput } from ${JSON.stringify(MODULE)}; const output = createLogOutput(); ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { text, code };
}

test('lines are written at the end of their turn, in order', async (t) => {
  const file = join(t.testdir(), 'log');
  const output = createLogOutput(openSync(file, 'a'));
  output.write('a\n');
  output.write('b\n');
  t.equal(readFileSync(file, 'utf8'), '');
  await turn();
  t.equal(readFileSync(file, 'utf8'), 'a\nb\n');
  output.write('c\n');
  output.flushSync();
  t.equal(readFileSync(file, 'utf8'), 'a\nb\nc\n');
});

test('more lines than fit one batch are written without loss', async (t) => {
  const file = join(t.testdir(), 'log');
  const output = createLogOutput(openSync(file, 'a'));
  const lines = Array.from({ length: 2000 }, (_, i) => `${i} ${'x'.repeat(100)}\n`);
  for (const line of lines) output.write(line);
  await turn();
  t.equal(readFileSync(file, 'utf8'), lines.join(''));
});

test('a process that exits in the same turn has written everything', async (t) => {
  t.strictSame(await outputOf(`output.write('last\\n'); process.exit(3);`), { text: 'last\n', code: 3 });
  const { text } = await outputOf(`output.write('last\\n'); throw new Error('bad');`);
  t.equal(text, 'last\n');
});

test('a reader that has gone away does not end the process', async (t) => {
  t.equal(await codeWithoutReader('setImmediate(() => setImmediate(() => process.exit(7)));'), 7);
});

test('a reader that has gone away does not keep the process from exiting', async (t) => {
  t.equal(await codeWithoutReader('process.exit(7);'), 7, 'here the flush at exit is the first write that fails');
});

test('a full disk neither fills the memory of the process nor ends it', async (t) => {
  const source = `import { createLogOutput } from ${JSON.stringify(MODULE)}; const output = createLogOutput();
    const before = process.memoryUsage().heapUsed;
    for (let turn = 0; turn < 200; turn += 1) {
      for (let i = 0; i < 100; i += 1) output.write('x'.repeat(2000));
      await new Promise(setImmediate);
    }
    output.flushSync();
    output.write('last');
    globalThis.gc();
    process.exit(process.memoryUsage().heapUsed - before < 10_000_000 ? 7 : 8);`;
  const full = openSync('/dev/full', 'a');
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', source], {
    stdio: ['ignore', full, 'ignore'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [code] = (await once(child, 'close')) as [number | null];
  t.equal(code, 7);
});

test('a slow reader gets everything', async (t) => {
  const source = `import { createLogOutput } from ${JSON.stringify(MODULE)}; const output = createLogOutput();
    for (let i = 0; i < 1000; i += 1) output.write('x'.repeat(999) + '\\n');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: ['ignore', 'pipe', 'ignore'] });
  let bytes = 0;
  for await (const chunk of child.stdout) {
    bytes += (chunk as Buffer).length;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  t.equal(bytes, 1_000_000);
});

async function codeWithoutReader(then: string): Promise<number | null> {
  const { child, ended } = startLogging();
  child.stdout.destroy();
  await once(child.stdout, 'close');
  child.stdin.write(then);
  return ended;
}

/** Starts a process that logs a line and then runs the code it is sent. If it does not end it is killed, with no exit code. */
function startLogging(): { child: ChildProcessByStdio<Writable, Readable, null>; ended: Promise<number | null> } {
  const source = `import { createLogOutput } from ${JSON.stringify(MODULE)}; const output = createLogOutput();
    process.stdin.on('data', (then) => { output.write('x'.repeat(1000)); (0, eval)(String(then)); });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: 10_000,
    killSignal: 'SIGKILL',
  });
  return { child, ended: once(child, 'close').then(([code]) => code as number | null) };
}
