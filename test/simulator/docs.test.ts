// docs/simulator.md must list exactly what the simulator has.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { SIMULATE_USAGE } from '../../src/simulator/command.ts';
import { CONTROL_API } from '../../src/simulator/control/control-api.ts';
import { FAULT_TYPES, parseFaultRule } from '../../src/simulator/control/fault-rule.ts';
import { ROUTES } from '../../src/simulator/http/routes.ts';
import { defaultSettings } from '../../src/simulator/settings.ts';
import { simulatorFor } from './call.ts';
import { exchange, upgradeHead } from './raw-client.ts';

const DOCS = readFileSync(new URL('../../docs/simulator.md', import.meta.url), 'utf8');

function section(title: string): string {
  const [, text = ''] = DOCS.split(`\n## ${title}\n`);
  return text.split('\n## ')[0] ?? '';
}

function leaves(value: object, prefix = ''): [path: string, value: unknown][] {
  return Object.entries(value).flatMap(([key, item]: [string, unknown]) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? leaves(item, `${prefix}${key}.`)
      : [[`${prefix}${key}`, item] as [string, unknown]],
  );
}

test('every setting is listed with its default', async (t) => {
  const listed = [...section('Settings').matchAll(/^\| `([\w.]+)` \| `(.*?)` \|/gm)].map(
    ([, path, value]) => `${path} ${value}`,
  );
  const known = leaves(defaultSettings()).map(
    ([path, value]) => `${path} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  t.strictSame(listed.sort(), known.sort());
});

test('every fault is listed, as a rule that is accepted', async (t) => {
  const listed = [...section('Faults').matchAll(/^\| `(\{.*?\})` \|/gm)].map(
    ([, json = '']) => JSON.parse(json) as { type: string },
  );
  for (const action of listed) t.doesNotThrow(() => parseFaultRule({ action }), action.type);
  t.strictSame(listed.map(({ type }) => type).sort(), [...FAULT_TYPES].sort());
});

test('every control request is listed', async (t) => {
  const listed = [...section('Control API').matchAll(/`((?:GET|PUT|POST|DELETE) \/[\w/{}]+)`/g)].map(
    ([, request]) => request,
  );
  t.strictSame(listed.sort(), Object.keys(CONTROL_API).sort());
});

test('every option is listed', async (t) => {
  const listed = [...section('Start it').matchAll(/^\| `(--[\w-]+)`/gm)].map(([, option]) => option);
  t.strictSame(listed.sort(), [...SIMULATE_USAGE.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, option]) => option).sort());
});

test('every endpoint named in the document exists', async (t) => {
  const known = new Set(ROUTES.map(({ method, path }) => `${method} ${path}`));
  const named = [...section('What it does').matchAll(/`((?:GET|POST) \/[\w/{}-]*)`/g)].map(
    ([, endpoint = '']) => endpoint,
  );
  t.ok(named.length > 9);
  for (const endpoint of named) t.ok(known.has(endpoint), endpoint);
});

test('every WebSocket named in the document requires a credential', async (t) => {
  const simulator = await simulatorFor(t);
  const rows = section('What it does').match(/^\| `WS .*$/gm) ?? [];
  const paths = rows.flatMap((row) => [...row.matchAll(/`(?:WS )?(\/[\w/{}-]+)`/g)].map(([, path = '']) => path));
  t.equal(paths.length, 5);
  for (const path of paths) {
    const { text } = await exchange(simulator, upgradeHead(path));
    t.match(text, /^HTTP\/1.1 401 Unauthorized\r\n/, path);
  }
});

test('the example for tests starts a simulator and ends it', async (t) => {
  const [, example = ''] = /```js\n(import \{ spawn.*?)```/s.exec(section('In a test')) ?? [];
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const file = join(t.testdir(), 'simulator.mjs');
  writeFileSync(file, example.replace("'node_modules/cartesia-broker/dist/main.js'", JSON.stringify(main)));
  const { startSimulator } = (await import(file)) as {
    startSimulator(...options: string[]): Promise<{ http: string; https: string; control: string; stop(): boolean }>;
  };
  const { http, https, control, stop } = await startSimulator('--plan', 'free');
  t.teardown(stop);
  t.match(https, /^https:\/\/localhost:\d+$/);
  t.match(await (await fetch(`${control}/settings`)).json(), { plan: 'free' });
  t.equal((await fetch(http)).status, 200);
  t.equal(stop(), true);
  let isThere = true;
  while (isThere) isThere = await fetch(http).then(Boolean, () => false);
});
