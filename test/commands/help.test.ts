import { test } from 'tap';
import { runDemo } from '../../src/commands/demo.ts';
import { runHealthcheck } from '../../src/commands/healthcheck.ts';
import { runServe } from '../../src/commands/serve.ts';
import { runSimulateCommand } from '../../src/commands/simulate.ts';
import { capturedIo } from './captured-io.ts';

const COMMANDS = { demo: runDemo, healthcheck: runHealthcheck, serve: runServe, simulate: runSimulateCommand };

for (const [name, run] of Object.entries(COMMANDS)) {
  test(`${name}: who asks for help gets it, who says something else learns the same and fails`, async (t) => {
    for (const asked of ['--help', '-h']) {
      const io = capturedIo({});
      t.equal(await run([asked], io), 0);
      t.match(io.written, { stdout: new RegExp(`cartesia-broker ${name}`), stderr: '' });
    }
    const io = capturedIo({});
    t.equal(await run(['--nonsense'], io), 2);
    t.match(io.written, { stdout: '', stderr: new RegExp(`cartesia-broker ${name}`) });
  });
}
