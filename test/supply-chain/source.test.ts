// What the source must not use, whatever is installed: Node's own network clients, unverified certificates, undeclared packages.
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { test } from 'tap';
import { codeOf, importsOf, ROOT, SOURCE_FILES } from '../source-imports.ts';

/** These files also run in browsers and phones, where only the built-in clients exist. */
const runsInBrowsers = (file: string): boolean => file.startsWith('src/client/');

/** Node's global network clients, whose implementation Node chooses. */
const BUILT_IN_CLIENTS = ['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'];

/** The built-in clients in this code: called, constructed, read from the global object, or passed on by name. */
function builtInClients(code: string): string[] {
  return BUILT_IN_CLIENTS.filter((name) => {
    const isOwn = new RegExp(`\\b(?:import|const|let|function|class)\\b[^;=]*\\b${name}\\b`).test(code);
    const isUsed = new RegExp(`(?<![.\\w$])(?:new\\s+)?${name}\\s*\\(`).test(code);
    const isTaken = new RegExp(`\\b(?:globalThis|global|window|self)\\s*(?:\\.\\s*|\\[\\s*['"])${name}\\b`).test(code);
    const isHandedOn = new RegExp(`[=(,:{]\\s*${name}\\s*[;,)}\\n]`).test(code);
    return isTaken || (!isOwn && (isUsed || isHandedOn));
  });
}

test('the detector finds every use of a built-in client, and nothing else of that name', async (t) => {
  const used = [
    "await fetch('https://x');",
    "const s = new WebSocket('wss://x');",
    'globalThis.fetch(url)',
    "globalThis['fetch'](url)",
    'const send = fetch;',
    'createClient({ fetch, key })',
    'call(fetch)',
  ];
  for (const code of used) t.equal(builtInClients(code).length, 1, code);
  const unused = [
    "import { WebSocket } from 'ws';\nnew WebSocket(url);",
    "import { type WebSocket, WebSocketServer } from 'ws';\nnew WebSocketServer({});",
    'async function fetch() {}\nfetch();',
    'keySet.fetch();',
    'const fetchKeys = () => {};\nfetchKeys();',
  ];
  for (const code of unused) t.strictSame(builtInClients(code), [], code);
});

test('the broker never uses a built-in client of Node', async (t) => {
  const wrong = SOURCE_FILES.filter((file) => !runsInBrowsers(file)).flatMap((file) =>
    builtInClients(codeOf(file)).map((name) => `${file}: ${name}`),
  );
  t.strictSame(wrong, []);
});

test('no line disables certificate verification', async (t) => {
  const wrong = SOURCE_FILES.filter((file) =>
    /rejectUnauthorized['"]?\s*:(?!\s*true\b)|checkServerIdentity|NODE_TLS_REJECT_UNAUTHORIZED['"]?\]?\s*=[^=]/.test(
      codeOf(file),
    ),
  );
  t.strictSame(wrong, []);
});

test('the source imports only run-time dependencies of package.json; only the demo imports the SDK', async (t) => {
  const { dependencies } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const packageOf = (target: string): string => /^(?:@[^/]+\/)?[^/]+/.exec(target)?.[0] ?? target;
  const wrong = SOURCE_FILES.flatMap((file) =>
    importsOf(file)
      .filter(({ target }) => !/^(?:src|docs)\//.test(target) && !isBuiltin(target))
      .filter(({ target }) => !Object.hasOwn(dependencies, packageOf(target)))
      .filter(({ target }) => !(packageOf(target) === '@cartesia/cartesia-js' && file.startsWith('src/commands/demo/')))
      .map(({ target }) => `${file}: ${target}`),
  );
  t.strictSame(wrong, []);
});

test("Node's own modules are imported with the node: prefix", async (t) => {
  const wrong = SOURCE_FILES.flatMap((file) =>
    importsOf(file)
      .filter(({ target }) => isBuiltin(target) && !target.startsWith('node:'))
      .map(({ target }) => `${file}: ${target}`),
  );
  t.strictSame(wrong, []);
});
