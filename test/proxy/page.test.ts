// Checks docs/proxy.md against the code it describes.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { parse } from 'yaml';
import { ttsErrorEvent } from '../../src/errors/event.ts';
import { passQuery } from '../../src/proxy/target.ts';
import { API_KEY, configOf, SIGNING_SECRET } from '../config/loading.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const page = readFileSync(join(DOCS, 'proxy.md'), 'utf8');
const block = (language: string): string =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1]?.replace(/^ {3}/gm, '') ?? '';

test('the example configuration loads and carries traffic', async (t) => {
  const directory = t.testdir({
    'broker.yaml': block('yaml').replaceAll('/run/secrets/', './'),
    signing_secret: SIGNING_SECRET,
  });
  t.ok(parse(block('yaml')));
  const config = await configOf({ BROKER_CONFIG: join(directory, 'broker.yaml'), CARTESIA_API_KEY: API_KEY });
  t.match(config, {
    proxy: true,
    listen: { publicUrl: 'https://voice.example.com' },
    clients: [{ name: 'web', delivery: 'proxied', grants: ['tts', 'stt'], origins: ['https://app.example.com'] }],
  });
});

test('its links lead to existing files', async (t) => {
  const links = [...page.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = '']) => link);
  t.ok(links.length >= 3);
  for (const link of links) t.ok(existsSync(join(DOCS, link)), link);
  t.ok(existsSync(join(DOCS, '../examples/browser/speak.js')));
});

test('the error event it shows has the fields of a real one', async (t) => {
  const shown = JSON.parse(/data: (\{.*\})/.exec(page)?.[1] ?? '{}') as object;
  const real = ttsErrorEvent({
    status: 502,
    errorCode: 'upstream_unavailable',
    title: 'Upstream unavailable',
    message: '…',
    requestId: '…',
    source: 'broker',
    contextId: '…',
  });
  t.strictSame(shown, real);
});

test('the number of parameters it states is the limit in the code', async (t) => {
  const most = Number(/more than (\d+) parameters/.exec(page)?.[1]);
  t.ok(passQuery(Array(most).fill('a=b').join('&')));
  t.throws(
    () =>
      passQuery(
        Array(most + 1)
          .fill('a=b')
          .join('&'),
      ),
    { code: 'invalid_request' },
  );
});

test('every configurable rule on content is explained', async (t) => {
  const configuration = readFileSync(join(DOCS, 'configuration.md'), 'utf8');
  const rules = [...configuration.matchAll(/`clients\.<name>\.content\.(\w+)`/g)].map(([, name = '']) => name);
  t.ok(rules.length >= 5);
  for (const rule of rules.filter((name) => !name.startsWith('agent'))) t.ok(page.includes(`\`${rule}\``), rule);
});
