// `npm run dev` in a clone that has no .env: what it does on a change, and how it ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { test } from 'tap';
import { LEAST } from '../config/loading.ts';
import { ROOT } from '../source-imports.ts';

test('a change restarts the broker at once, without a drain, and Ctrl-C ends it in good order', async (t) => {
  const clone = t.testdir();
  for (const name of ['package.json', 'src', 'docs/openapi.json'])
    cpSync(path.join(ROOT, name), path.join(clone, name), { recursive: true });
  const { scripts } = JSON.parse(readFileSync(path.join(clone, 'package.json'), 'utf8'));
  const dev = spawn('sh', ['-c', scripts.dev], {
    cwd: clone,
    env: {
      ...LEAST,
      PATH: `${path.join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}`,
      PORT: '0',
      MANAGEMENT_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, which a terminal's Ctrl-C goes to
  });
  const group = -(dev.pid ?? 0);
  t.teardown(() => dev.exitCode === null && dev.signalCode === null && process.kill(group, 'SIGKILL'));
  let said = '';
  for (const stream of [dev.stdout, dev.stderr]) stream.on('data', (text) => (said += text));
  const ended = once(dev, 'close');
  const hears = async (words: string, times: number): Promise<void> => {
    while (said.split(words).length <= times) {
      await Promise.race([once(dev.stdout, 'data'), ended]);
      if (dev.exitCode !== null) throw new Error(`it ended: ${said}`);
    }
  };

  await hears('"msg":"listening"', 1);
  const change = setInterval(() => {
    if (!said.includes('Restarting')) utimesSync(path.join(clone, 'src/app.ts'), new Date(), new Date());
  }, 500);
  await hears('"msg":"listening"', 2);
  clearInterval(change);
  t.match(said, /"signal":"SIGINT","msg":"stopping"/);
  t.notMatch(said, /SIGTERM/);

  process.kill(group, 'SIGINT');
  const [code] = await ended;
  t.equal(code, 0);
  t.equal(said.split('"msg":"stopped"').length, 3);
  t.notMatch(said, /assertion/i);
});
