import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { test } from 'tap';
import { Value } from 'typebox/value';
import { parse } from 'yaml';
import { PAGES } from '../../scripts/docs/pages.ts';
import { CONFIG_FILE_VARIABLE } from '../../src/config/schema.ts';
import { SETTING_BY_VARIABLE, SETTINGS } from '../../src/config/setting-index.ts';
import { API_KEY, configOf, KEY_HASH, SIGNING_SECRET } from './loading.ts';

const ROOT = join(import.meta.dirname, '../..');
const onDisk = (path: string) => readFileSync(join(ROOT, path), 'utf8');

for (const path of ['docs/configuration.md', 'config.schema.json', '.env.example']) {
  test(`${path} is what \`npm run docs\` generates from the schema`, async (t) => {
    t.equal(onDisk(path), await PAGES.find((page) => page.path === path)?.generate());
  });
}

test('.env.example explains every variable in one line each, and contains no others', async (t) => {
  const lines = onDisk('.env.example').split('\n');
  const entries = lines.flatMap((line, i) => {
    const name = /^#?([A-Z_]+)=/.exec(line)?.[1];
    return name === undefined ? [] : [{ name, comment: lines[i - 1] ?? '' }];
  });
  t.strictSame(entries.map(({ name }) => name).sort(), [...SETTING_BY_VARIABLE.keys(), CONFIG_FILE_VARIABLE].sort());
  for (const { name, comment } of entries) t.match(comment, /^# [A-Za-z`].{10,}\.$/, name);
});

test('.env.example with its defaults uncommented gives the same configuration as the defaults', async (t) => {
  const shown = parseEnv(onDisk('.env.example').replace(/^#(?=[A-Z_]+=)/gm, '')); // as Node reads a copy of the file
  t.ok(Object.keys(shown).length > 30);
  const known = { CARTESIA_API_KEY: API_KEY, CLIENT_KEYS: `web=${KEY_HASH}` };
  t.strictSame(await configOf({ ...shown, ...known }), await configOf(known));
});

test('docs/configuration.md names every setting and every variable', async (t) => {
  const page = onDisk('docs/configuration.md');
  for (const { path } of SETTINGS) {
    const last = path.findLast((key) => key !== '*') ?? '';
    t.ok(page.includes(`${last}\``), path.join('.'));
  }
  for (const variable of SETTING_BY_VARIABLE.keys()) t.ok(page.includes(`\`${variable}\``), variable);
});

test('the example in docs/configuration.md loads and fits config.schema.json', async (t) => {
  const example = (/```yaml\n([\s\S]*?)```/.exec(onDisk('docs/configuration.md'))?.[1] ?? '').replace(
    'sha256:...',
    KEY_HASH,
  );
  t.ok(Value.Check(JSON.parse(onDisk('config.schema.json')), parse(example)));
  const dir = t.testdir({
    'broker.yaml': example.replaceAll('/run/secrets/', './'),
    cartesia_api_key: API_KEY,
    token_signing_secret: SIGNING_SECRET,
  });
  const config = await configOf({ BROKER_CONFIG: join(dir, 'broker.yaml') });
  t.strictSame(
    config.clients.map(({ name }) => name),
    ['web', 'backend'],
  );
});

test('config.schema.json refuses what the broker refuses', async (t) => {
  const schema = JSON.parse(onDisk('config.schema.json'));
  for (const wrong of [
    { lisen: {} },
    { listen: { port: '8080' } },
    { clients: { 'a b': {} } },
    { clients: { a: { grants: [] } } },
  ]) {
    t.notOk(Value.Check(schema, wrong), JSON.stringify(wrong));
  }
  for (const right of [{}, { upstream: { api_key_file: '/x' } }, { clients: { a: { auth: { keys_file: 'x' } } } }]) {
    t.ok(Value.Check(schema, right), JSON.stringify(right));
  }
});
