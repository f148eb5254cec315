// Changed secret files, up to the code that receives them; test/e2e/secrets-renewed.test.ts covers the whole service.
import { execFileSync, spawn } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import type { RenewableSecret } from '../../src/config/config.ts';
import { type SecretEvent, watchSecrets } from '../../src/config/watch-secrets.ts';
import { API_KEY, configOf, LEAST, SIGNING_SECRET } from './loading.ts';

const { CLIENT_KEYS = '' } = LEAST;
const NEVER_MS = 2 ** 30;

async function watching(t: Test, text: string) {
  const file = join(t.testdir({ key: text }), 'key');
  const { secretFiles } = await configOf({ CLIENT_KEYS, CARTESIA_API_KEY_FILE: file });
  const given: string[][] = [];
  const events: SecretEvent[] = [];
  const wrong = (): never => t.fail('another secret') as never;
  const watch = watchSecrets(secretFiles, {
    everyMs: NEVER_MS,
    renew: {
      api_key: (secrets) => given.push(secrets.map((secret) => secret.reveal())),
      signing_secret: wrong,
      admin_token: wrong,
      redis_url: wrong,
    },
    onEvent: (event) => events.push(event),
  });
  t.teardown(() => watch.stop());
  return {
    file,
    given,
    async put(next: string | null): Promise<void> {
      if (next === null) await rm(file);
      else await writeFile(file, next);
      watch.look();
    },
    /** Events since the last call. */
    told: () => events.splice(0).map((event) => [event.type, ...(event.type === 'unusable' ? [event.wrong] : [])]),
    watch,
  };
}

test('the configuration knows which of its secrets came from files, by the source that takes precedence', async (t) => {
  const dir = t.testdir({
    key: API_KEY,
    other: 'sk_car_other.key',
    signing: SIGNING_SECRET,
    admin: `${SIGNING_SECRET}-admin`,
    redis: 'redis://localhost',
    clients: CLIENT_KEYS,
    'broker.yaml': [
      'upstream: { api_key_file: key }',
      'tokens: { signing_secret_file: ./signing }',
      'management: { admin_token_file: admin }',
    ].join('\n'),
  });
  const BROKER_CONFIG = join(dir, 'broker.yaml');
  const of = async (env: Readonly<Record<string, string>>): Promise<Partial<Record<RenewableSecret, string>>> => {
    const { secretFiles } = await configOf(env);
    return Object.fromEntries(secretFiles.map(({ secret, setting, path }) => [secret, `${setting} ${path}`]));
  };
  t.strictSame(await of({ CLIENT_KEYS_FILE: join(dir, 'clients'), BROKER_CONFIG }), {
    api_key: `upstream.api_key_file ${dir}/key`,
    signing_secret: `tokens.signing_secret_file ${dir}/signing`,
    admin_token: `management.admin_token_file ${dir}/admin`,
  });
  const over = { CARTESIA_API_KEY_FILE: join(dir, 'other'), TOKEN_SIGNING_SECRET: SIGNING_SECRET };
  t.strictSame(await of({ CLIENT_KEYS, BROKER_CONFIG, ...over, REDIS_URL_FILE: join(dir, 'redis') }), {
    api_key: `CARTESIA_API_KEY_FILE ${dir}/other`,
    admin_token: `management.admin_token_file ${dir}/admin`,
    redis_url: `REDIS_URL_FILE ${dir}/redis`,
  });
  t.strictSame(await of(LEAST), {});
});

test('new content of a file is used once, and checked by the same rules as at start', async (t) => {
  const { given, put, told } = await watching(t, API_KEY);
  t.strictSame(given.splice(0), [[API_KEY]], 'content written since the configuration was loaded would be used too');
  await put(`${API_KEY}\n`);
  t.strictSame(given.splice(0), [], 'a line break is not a change');
  await put('sk_car_next.key\nsk_car_third.key\n');
  t.strictSame(given.splice(0), [['sk_car_next.key', 'sk_car_third.key']]);
  await put('sk_car_third.key, sk_car_next.key');
  t.strictSame(given.splice(0), [['sk_car_third.key', 'sk_car_next.key']], 'the order is a change');
  t.strictSame(told(), [['renewed'], ['renewed']]);
});

test('an unusable file changes nothing and is reported once, without its content', async (t) => {
  const { file, given, put, told, watch } = await watching(t, API_KEY);
  given.splice(0);
  for (const [text, wrong] of [
    ['', `${file} is empty`],
    ['\n\n', `${file} is empty`],
    ['x'.repeat(65_537), `${file} is larger than 65536 bytes`],
    [null, `cannot read ${file}: there is no such file`],
    ['sk_car_one.key,sk_car_one.key', 'item 2: is repeated'],
  ] as const) {
    await put(text);
    watch.look();
    t.strictSame(told(), text === '\n\n' ? [] : [['unusable', wrong]]);
  }
  for (const text of ['sk_car_ßecret', 'two words', 'sk_car_a,,sk_car_b', 'sk_car_\0', 'short']) {
    await put(text);
    const [[type, wrong = ''] = [], ...more] = told();
    t.ok(type === undefined || type === 'unusable');
    t.strictSame(more, []);
    for (const word of text.split(/[ ,\0]/)) if (word !== '') t.notOk(wrong.includes(word));
  }
  t.strictSame(given, [], 'none was used');

  await put(API_KEY);
  t.strictSame(told(), [['mended']]);
  await put('');
  await put('sk_car_next.key');
  t.strictSame(told(), [['unusable', `${file} is empty`], ['renewed']]);
  t.strictSame(given, [['sk_car_next.key']]);
});

test('a pipe is read only once: reading it again would block the process until somebody writes', async (t) => {
  const { given, told, file, watch } = await watching(t, API_KEY);
  await rm(file);
  execFileSync('mkfifo', [file]);
  const writer = spawn('sh', ['-c', 'echo sk_car_through.a.pipe > "$0"', file]);
  t.teardown(() => writer.kill());
  watch.look();
  t.strictSame(told(), []);
  t.strictSame(given, [[API_KEY]]);
});
