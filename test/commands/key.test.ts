import { createHash } from 'node:crypto';
import { test } from 'tap';
import { parse } from 'yaml';
import { runKey } from '../../src/commands/key.ts';
import { loadConfig } from '../../src/config/load.ts';
import { API_KEY } from '../config/loading.ts';
import { capturedIo } from './captured-io.ts';

/** Runs the command and returns the printed key along with the rest of the output. */
async function printedKey(argv: readonly string[]) {
  const io = capturedIo();
  const code = await runKey(argv, io);
  const text = io.written.stdout;
  const key = /^ {2}(cb_\S+)$/m.exec(text)?.[1] ?? '';
  return { code, text, key, stderr: io.written.stderr };
}

test('a key is 256 random bits with a prefix, shown once', async (t) => {
  const { code, text, key, stderr } = await printedKey([]);
  t.equal(code, 0);
  t.equal(stderr, '');
  t.match(key, /^cb_[A-Za-z0-9_-]{43}$/);
  t.equal(Buffer.from(key.slice(3), 'base64url').length, 32);
  t.equal(text.split(key).length, 2, 'it is printed once');
  t.not((await printedKey([])).key, key);
});

test('the printed lines make the broker accept the key, in the environment and in the file', async (t) => {
  const { text, key } = await printedKey(['--name', 'web']);
  const digest = createHash('sha256').update(key).digest('hex');
  const variable = /^ {2}CLIENT_KEYS=(.*)$/m.exec(text)?.[1] ?? '';
  t.equal(variable, `web=sha256:${digest}`);
  const yaml = text.slice(text.indexOf('  clients:'));
  t.strictSame(parse(yaml), { clients: { web: { auth: { keys: [`sha256:${digest}`] } } } });

  const path = t.testdir({ 'broker.yaml': yaml });
  for (const env of [{ CLIENT_KEYS: variable }, { BROKER_CONFIG: `${path}/broker.yaml` }]) {
    const loaded = await loadConfig({ CARTESIA_API_KEY: API_KEY, ...env });
    t.strictSame(loaded.outcome === 'loaded' && loaded.config.clients.map(({ name, auth }) => [name, auth.keys]), [
      ['web', [digest]],
    ]);
  }
});

test('without a name the key belongs to the client app `default`', async (t) => {
  t.match((await printedKey([])).text, /^ {2}CLIENT_KEYS=default=sha256:[0-9a-f]{64}$/m);
});

test('an invalid client app name is refused, and not repeated', async (t) => {
  const io = capturedIo();
  t.equal(await runKey(['--name', 'my app'], io), 2);
  t.match(io.written.stderr, /^--name: expected a name of 1 to 40 letters/);
  t.notMatch(io.written.stderr, /my app/);
  t.equal(io.written.stdout, '');
});

test('usage goes to stdout if asked for, to stderr after a mistake', async (t) => {
  const asked = capturedIo();
  t.equal(await runKey(['-h'], asked), 0);
  t.match(asked.written.stdout, /^Usage: cartesia-broker key \[--name NAME\]\n/);
  for (const argv of [['web'], ['--name'], ['--nmae', 'web']]) {
    const io = capturedIo();
    t.equal(await runKey(argv, io), 2);
    t.match(io.written.stderr, /^Usage: cartesia-broker key/);
    t.equal(io.written.stdout, '');
  }
});
