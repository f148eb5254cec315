import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { runSimulate, SimulateUsageError } from '../../src/simulator/command.ts';

function collector() {
  let text = '';
  const stream = { write: (chunk: string) => (text += chunk) };
  return { io: { stdout: stream, stderr: stream }, text: () => text };
}

test('the command prints where it listens, which key it accepts, and how to try it', async (t) => {
  const { io, text } = collector();
  const file = join(t.testdir(), 'ca.pem');
  const argv = [
    '--plan',
    'free',
    '--port',
    '0',
    '--tls-port',
    '0',
    '--control-port',
    '0',
    '--key',
    'sk_car_a',
    '--key',
    'sk_car_b',
    '--ca-file',
    file,
  ];
  const simulator = await runSimulate(argv, io);
  t.teardown(() => simulator.close());
  t.match(text(), /plan free: 2 generations and 8 streams at once/);
  t.match(text(), /API key +sk_car_a\n/);
  t.match(text(), `NODE_EXTRA_CA_CERTS=${file}`);
  t.match(readFileSync(file, 'utf8'), /^-----BEGIN CERTIFICATE-----\n/);
  const [url = '', control = ''] = ['http', 'control'].map(
    (name) => new RegExp(`^  ${name} +(\\S+)$`, 'm').exec(text())?.[1],
  );
  t.equal((await fetch(`${url}/voices`, { headers: { authorization: 'Bearer sk_car_b' } })).status, 200);
  t.match(await (await fetch(`${control}/settings`)).json(), { plan: 'free', apiKeys: ['sk_car_a', 'sk_car_b'] });
});

test('the printed examples work', async (t) => {
  const { io, text } = collector();
  const simulator = await runSimulate(['--port', '0', '--tls-port', '0'], io);
  t.teardown(() => simulator.close());
  const { spawn } = await import('node:child_process');
  const cwd = t.testdir();
  const examples = text().slice(text().indexOf('Try:') + 4);
  const commands = examples
    .replaceAll('\\\n', ' ')
    .trim()
    .split('\n')
    .map((line) => line.trim());
  t.equal(commands.length, 4);
  const outputs: string[] = [];
  for (const command of commands) {
    const shell = spawn(command.replace('curl ', 'curl -sS --fail-with-body '), { cwd, shell: true });
    let output = '';
    shell.stdout.on('data', (chunk: Buffer) => (output += chunk));
    const code = await new Promise((resolve) => shell.once('close', resolve));
    t.equal(code, 0, command);
    outputs.push(output);
  }
  t.match(JSON.parse(outputs[0] ?? ''), { ok: true });
  t.match(JSON.parse(outputs[1] ?? ''), { token: /^ey/ });
  t.match(JSON.parse(outputs[3] ?? ''), { text: 'Hello.' }, 'the spoken text is transcribed');
});

test('wrong usage is distinguished from failure, and starts nothing', async (t) => {
  const cases: readonly [argv: string[], message: RegExp][] = [
    [['--plan', 'gold'], /^--plan must be one of free, pro, startup, scale\n\nUsage: /],
    [['--port', 'x'], /^--port must be a port from 0 to 65535\n/],
    [['--tls-port', '70000'], /^--tls-port must be a port/],
    [['--control-port', '-1'], /argument is ambiguous|must be a port/],
    [['--key', ''], /^--key must be printable ASCII/],
    [['--key', 'sk_car_a', '--key', 'sk car'], /^--key must be printable ASCII/],
    [['--speed'], /Unknown option '--speed'/],
    [['free'], /Unexpected argument 'free'/],
  ];
  for (const [argv, message] of cases) {
    const { io, text } = collector();
    await t.rejects(runSimulate(argv, io), { name: 'SimulateUsageError', exitCode: 2, message });
    t.equal(text(), '');
  }
  t.equal(new SimulateUsageError('x').exitCode, 2);
});

test('a port in use is a failure, not wrong usage', async (t) => {
  const { io, text } = collector();
  const first = await runSimulate(['--port', '0', '--tls-port', '0'], io);
  t.teardown(() => first.close());
  const port = /127\.0\.0\.1:(\d+)/.exec(text())?.[1] ?? '';
  await t.rejects(runSimulate(['--port', port, '--tls-port', '0'], io), { code: 'EADDRINUSE' });
});

test('several simulators can run at once without naming a TLS port', async (t) => {
  // The default port is now in use, whoever has it. Another run of this test gives it back within the two seconds.
  const other = createServer();
  t.teardown(() => other.close());
  for (let tries = 0; !other.listening && tries < 100; tries += 1)
    await once(other.listen(8788, '127.0.0.1'), 'listening').catch(() => sleep(20));
  const { io, text } = collector();
  const simulator = await runSimulate(['--port', '0', '--control-port', '0'], io);
  t.teardown(() => simulator.close());
  const port = /^ {2}https +https:\/\/localhost:(\d+)$/m.exec(text())?.[1];
  t.match(port, /^\d+$/);
  t.not(port, '8788');
  const named = ['--port', '0', '--tls-port', String(port)];
  await t.rejects(runSimulate(named, io), { code: 'EADDRINUSE' }, 'a named port is used or the command fails');
});

test('a certificate that cannot be written ends the command, and nothing keeps listening', async (t) => {
  const argv = ['simulate', '--port', '0', '--tls-port', '0', '--ca-file', `${t.testdir({})}/none/ca.pem`];
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...argv], {
    timeout: 15_000,
    encoding: 'utf8',
  });
  t.match({ status, stdout, stderr }, { status: 1, stdout: '', stderr: /^ENOENT: / });
});

test('an address of IPv6 stands in brackets in what it prints', { skip: !hasIpv6() && 'no IPv6 here' }, async (t) => {
  const { io, text } = collector();
  const simulator = await runSimulate(['--host', '::1', '--port', '0', '--tls-port', '0', '--control-port', '0'], io);
  t.teardown(() => simulator.close());
  for (const name of ['http', 'control']) {
    const [, url = ''] = new RegExp(`^  ${name} +(\\S+)$`, 'm').exec(text()) ?? [];
    t.match(url, /^http:\/\/\[::1\]:\d+$/);
    t.ok((await fetch(`${url}/${name === 'control' ? 'clock' : ''}`)).ok, name);
  }
  t.match(text(), /^ {2}https +https:\/\/\[::1\]:\d+$/m);
});

function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'));
}
