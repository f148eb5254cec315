import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { runAdmin } from '../../src/commands/admin.ts';
import { runCheckConfig } from '../../src/commands/check-config.ts';
import { runDemo } from '../../src/commands/demo.ts';
import { runHealthcheck } from '../../src/commands/healthcheck.ts';
import { runKey } from '../../src/commands/key.ts';
import { runServe } from '../../src/commands/serve.ts';
import { runSimulateCommand } from '../../src/commands/simulate.ts';
import { capturedIo } from './captured-io.ts';

const COMMANDS = {
  admin: runAdmin,
  'check-config': runCheckConfig,
  demo: runDemo,
  healthcheck: runHealthcheck,
  key: runKey,
  serve: runServe,
  simulate: runSimulateCommand,
};

for (const [name, run] of Object.entries(COMMANDS)) {
  test(`${name}: --help prints the usage; a wrong argument prints it too and fails`, async (t) => {
    for (const asked of ['--help', '-h']) {
      const io = capturedIo({});
      t.equal(await run([asked], io), 0);
      t.match(io.written, { stdout: new RegExp(`^Usage: cartesia-broker ${name}`), stderr: '' });
    }
    const io = capturedIo({});
    t.equal(await run(['--nonsense'], io), 2);
    t.match(io.written, { stdout: '', stderr: new RegExp(`cartesia-broker ${name}`) });
  });
}

test('admin: an address that is not a plain http URL is wrong usage, and no request is sent', async (t) => {
  for (const url of ['localhost:9090', '127.0.0.1:9090', 'https://127.0.0.1:9090', 'x']) {
    const io = capturedIo({ ADMIN_TOKEN: 'an-admin-token-of-more-than-32-characters' });
    t.equal(await runAdmin(['leases', '--url', url], io), 2, url);
    t.match(io.written, { stdout: '', stderr: /^Usage: / });
  }
});

test('no command, or an unknown one, is wrong usage; --help prints the usage', async (t) => {
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const cases: readonly [argv: string[], outcome: object][] = [
    [[], { status: 2, stdout: '', stderr: /^No command\.\n\nUsage: cartesia-broker <command>/ }],
    [['mint'], { status: 2, stdout: '', stderr: /^Unknown command\.\n\nUsage: / }],
    [['--help'], { status: 0, stdout: /^Usage: cartesia-broker <command>/, stderr: '' }],
  ];
  for (const [argv, outcome] of cases)
    t.match(spawnSync(process.execPath, [main, ...argv], { encoding: 'utf8' }), outcome, argv.join(' '));
});
