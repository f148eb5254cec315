import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { loadManagement } from '../../src/config/load-management.ts';
import type { Env } from './loading.ts';

const ADDRESS = ['host', 'port'] as const;
const ALL = [...ADDRESS, 'admin_token'] as const;
const TOKEN = 'an-admin-token-of-more-than-32-bytes';

async function managementOf(env: Env, needed: Parameters<typeof loadManagement>[1]) {
  const loaded = await loadManagement(env, needed);
  if (loaded.outcome === 'refused') return loaded.problems.map(({ setting }) => setting);
  const { host, port, adminToken } = loaded.management;
  return [host, port, adminToken?.reveal() ?? null];
}

test('problems elsewhere in the configuration do not matter', async (t) => {
  const directory = t.testdir();
  let files = 0;
  const file = (text: string): string => {
    files += 1;
    const path = join(directory, `${files}.yaml`);
    writeFileSync(path, text);
    return path;
  };
  const cases: readonly (readonly [why: string, env: Env, found: readonly unknown[]])[] = [
    ['an empty environment', {}, ['127.0.0.1', 9090, null]],
    [
      'missing files',
      { CARTESIA_API_KEY_FILE: '/none', TLS_CERT_FILE: '/none', MANAGEMENT_PORT: '1' },
      ['127.0.0.1', 1, null],
    ],
    ['an invalid variable', { PORT: 'x', MANAGEMENT_HOST: '::1' }, ['::1', 9090, null]],
    ['the port of the public listener', { PORT: '9090' }, ['127.0.0.1', 9090, null]],
    [
      'a mistake in the file',
      { BROKER_CONFIG: file('management: { port: 7 }\nlisten: { prot: 8 }\nclients: 5\n') },
      ['127.0.0.1', 7, null],
    ],
    ['a missing configuration file', { BROKER_CONFIG: '/none', MANAGEMENT_PORT: '2' }, ['127.0.0.1', 2, null]],
    ['a file that is not YAML', { BROKER_CONFIG: file('management: {'), MANAGEMENT_PORT: '3' }, ['127.0.0.1', 3, null]],
    ['not a mapping', { BROKER_CONFIG: file('management: 5\n') }, ['127.0.0.1', 9090, null]],
    [
      'the environment overrides the file',
      { BROKER_CONFIG: file('management: { port: 7, host: "::1" }\n'), MANAGEMENT_PORT: '4' },
      ['::1', 4, null],
    ],
  ];
  for (const [why, env, found] of cases) t.strictSame(await managementOf(env, ADDRESS), found, why);
});

test('the admin token is read only where it is needed', async (t) => {
  const directory = t.testdir({ token: TOKEN, 'broker.yaml': 'management: { admin_token_file: token }\n' });
  const env = { BROKER_CONFIG: join(directory, 'broker.yaml') };
  t.strictSame(await managementOf(env, ALL), ['127.0.0.1', 9090, TOKEN]);
  t.strictSame(await managementOf(env, ADDRESS), ['127.0.0.1', 9090, null]);
  t.strictSame(await managementOf({ ADMIN_TOKEN: TOKEN }, ALL), ['127.0.0.1', 9090, TOKEN]);
  t.strictSame(await managementOf({ ADMIN_TOKEN_FILE: join(directory, 'token') }, ALL), ['127.0.0.1', 9090, TOKEN]);
  t.strictSame(await managementOf({ ADMIN_TOKEN_FILE: '/none' }, ALL), ['ADMIN_TOKEN_FILE']);
  t.strictSame(await managementOf({ ADMIN_TOKEN_FILE: '/none' }, ADDRESS), ['127.0.0.1', 9090, null]);
});

test('an invalid setting that is needed is refused by name, and an unreadable file is reported', async (t) => {
  t.strictSame(await managementOf({ MANAGEMENT_PORT: 'x', MANAGEMENT_HOST: '/' }, ADDRESS), [
    'MANAGEMENT_HOST',
    'MANAGEMENT_PORT',
  ]);
  t.strictSame(await managementOf({ MANAGEMENT_PORT: 'x', ADMIN_TOKEN: TOKEN }, ['admin_token']), [
    '127.0.0.1',
    9090,
    TOKEN,
  ]);
  const loaded = await loadManagement({ BROKER_CONFIG: '/none' }, ADDRESS);
  t.match(loaded, {
    outcome: 'loaded',
    doubts: [{ setting: 'BROKER_CONFIG', message: 'cannot read /none: there is no such file' }],
  });
});
