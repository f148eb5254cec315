import { join } from 'node:path';
import { test } from 'tap';
import { runCheckConfig } from '../../src/commands/check-config.ts';
import { API_KEY, KEY_HASH, LEAST, OTHER_KEY_HASH, SIGNING_SECRET } from '../config/loading.ts';
import { capturedIo } from './captured-io.ts';

test('a valid configuration is summed up without secrets', async (t) => {
  const io = capturedIo({
    ...LEAST,
    CLIENT_KEYS: `web=${KEY_HASH},backend=${OTHER_KEY_HASH}`,
    TRUSTED_CLIENTS: 'backend',
    TOKEN_SIGNING_SECRET: SIGNING_SECRET,
    PROXY: 'true',
    JWT_ISSUER: 'https://login.example.com',
    JWT_AUDIENCE: 'voice',
    ALLOW_ANONYMOUS: 'true',
    GRANTS: 'tts,stt',
    CORS_ORIGINS: 'https://app.example.com',
    MINT_RATE: 'off',
    MINT_RATE_PER_IP: '600/minute',
    HOST: '::1',
    PORT: '0',
  });
  t.equal(await runCheckConfig([], io), 0);
  t.equal(io.written.stderr, '');
  const policy = `  grants    tts, stt
  lifetime  300 s, at most 900 s
  delivery  direct
  origins   https://app.example.com
  minting   no limit per subject
`;
  t.equal(
    io.written.stdout,
    `The configuration is fine.

listener          http://[::1]:(any free port)
public URL        the address of the listener
trusted proxies   none
management        http://127.0.0.1:9090
upstream          https://api.cartesia.ai, version 2026-03-01 (fill)
API keys          1
signing secrets   1
per address       600/minute
state             in memory
logs              info
Cartesia's paths  served

client app web
  callers   1 app key
${policy}
client app backend (trusted: names its users)
  callers   1 app key
${policy}
client app default
  callers   JWTs of https://login.example.com; anyone, without a credential
${policy}`,
  );
});

test('all problems and warnings go to stderr, with exit code 2', async (t) => {
  const io = capturedIo({ CARTESIA_API_KEY: 'short', PORT: 'x', TOKEN_TLL: '1' });
  t.equal(await runCheckConfig([], io), 2);
  t.equal(io.written.stdout, '');
  t.equal(
    io.written.stderr,
    `warning: TOKEN_TLL: is not a setting of the broker: did you mean TOKEN_TTL?
error: PORT: expected an integer from 0 to 65535
error: CARTESIA_API_KEY: expected a Cartesia API key: 8 to 512 printable ASCII characters without spaces, quotes or commas
error: CLIENT_KEYS, JWT_ISSUER or ALLOW_ANONYMOUS: one of them is needed, or \`clients\` in the file that BROKER_CONFIG names: otherwise nobody could call
The configuration has 3 problems.
`,
  );
});

test('warnings alone are not a failure', async (t) => {
  const io = capturedIo({ ...LEAST, MANAGEMENT_HOST: '0.0.0.0' });
  t.equal(await runCheckConfig([], io), 0);
  t.match(io.written.stderr, /^warning: MANAGEMENT_HOST: [^\n]+\n$/);
});

test('a file may be named as an argument', async (t) => {
  const source = `clients: { kiosk: { auth: { keys: ["${KEY_HASH}"] }, grants: [tts, stt], default_grants: [tts] } }\n`;
  const path = join(t.testdir({ 'broker.yaml': source }), 'broker.yaml');
  const io = capturedIo({ CARTESIA_API_KEY: API_KEY, BROKER_CONFIG: '/elsewhere.yaml' });
  t.equal(await runCheckConfig([path], io), 0);
  t.match(io.written.stdout, /client app kiosk\n {2}callers {3}1 app key\n {2}grants {4}tts, stt; tts by default\n/);
});

test('a single problem is counted in the singular', async (t) => {
  const io = capturedIo({ ...LEAST, PORT: 'x' });
  t.equal(await runCheckConfig([], io), 2);
  t.match(io.written.stderr, /The configuration has 1 problem\.\n$/);
});

test('usage goes to stdout if asked for, to stderr after a mistake', async (t) => {
  const asked = capturedIo();
  t.equal(await runCheckConfig(['--help'], asked), 0);
  t.match(asked.written.stdout, /^Usage: cartesia-broker check-config \[FILE\]\n/);
  for (const argv of [['--nonsense'], ['a.yaml', 'b.yaml']]) {
    const io = capturedIo(LEAST);
    t.equal(await runCheckConfig(argv, io), 2);
    t.match(io.written.stderr, /^Usage: cartesia-broker check-config/);
    t.equal(io.written.stdout, '');
  }
});
