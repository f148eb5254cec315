// The helper for apps as an app gets it: from the tarball, with types, in every kind of module.
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { t as suite, type Test, test } from 'tap';
import { minted, startScriptedBroker } from '../client/scripted-broker.ts';
import { ROOT } from '../source-imports.ts';

/** Without the environment of the test runner, whose loaders would affect the app. */
const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };

const packed = mkdtempSync(path.join(tmpdir(), 'packed-'));
suite.teardown(() => rmSync(packed, { recursive: true }));
cpSync(path.join(ROOT, 'package.json'), path.join(packed, 'package.json'));
execFileSync(process.execPath, [path.join(ROOT, 'scripts/build-client.ts'), path.join(packed, 'client')], { env });
const tarball = execFileSync('npm', ['pack', '--ignore-scripts', '--silent'], { cwd: packed, env, encoding: 'utf8' });

/** An app with only this package installed, so that nothing else can be found by mistake. */
function installed(t: Test, files: Readonly<Record<string, string>>): string {
  const app = t.testdir({ 'package.json': '{ "name": "app" }', ...files });
  const target = path.join(app, 'node_modules/cartesia-broker');
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', path.join(packed, tarball.trim()), '-C', target, '--strip-components=1']);
  return app;
}

const TYPED = `
import { type AccessToken, BrokerError, createTokenSource, type TokenSource } from 'cartesia-broker/client';

const tokens: TokenSource = createTokenSource({
  brokerUrl: 'https://voice.example.com',
  credential: async () => 'session',
  grants: { tts: true },
});
export async function speak(signal: AbortSignal): Promise<string> {
  try {
    const { token, baseURL }: AccessToken = await tokens.get({ signal });
    return token + baseURL;
  } catch (error) {
    if (error instanceof BrokerError && error.status === 401) tokens.drop();
    throw error;
  }
}
// @ts-expect-error there is no such grant
createTokenSource({ brokerUrl: '', grants: { music: true } });
// @ts-expect-error a source is no token
export const token: string = tokens.get().token;
`;

for (const [name, file, options] of [
  ['node16', 'app.mts', '--module node16 --moduleResolution node16 --types node'],
  ['nodenext, from CommonJS', 'app.cts', '--module nodenext --moduleResolution nodenext --types node'],
  ['bundler, for browsers', 'app.ts', '--module esnext --moduleResolution bundler --lib es2022,dom'],
] as const) {
  test(`types are found and correct: ${name}`, async (t) => {
    const app = installed(t, { [file]: TYPED });
    const tsc = path.join(ROOT, 'node_modules/typescript/lib/tsc.js');
    const typeRoots = path.join(ROOT, 'node_modules/@types');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        tsc,
        '--noEmit',
        '--strict',
        '--exactOptionalPropertyTypes',
        '--skipDefaultLibCheck',
        '--ignoreConfig',
        '--typeRoots',
        typeRoots,
        ...options.split(' '),
        file,
      ],
      { cwd: app, env },
    ).catch((error: { stdout: string }) => error);
    t.equal(stdout, '');
  });
}

test('Node can import and require it', async (t) => {
  const use = `createTokenSource({ brokerUrl: process.argv[2] }).get().then(({ token }) => console.log(token));`;
  const app = installed(t, {
    'app.mjs': `import { createTokenSource } from 'cartesia-broker/client';\n${use}`,
    'app.cjs': `const { createTokenSource } = require('cartesia-broker/client');\n${use}`,
  });
  const broker = await startScriptedBroker(t);
  for (const file of ['app.mjs', 'app.cjs']) {
    broker.answer(minted(`token of ${file}`));
    const { stdout } = await promisify(execFile)(process.execPath, [file, broker.url], { cwd: app, env });
    t.equal(stdout, `token of ${file}\n`);
  }
});

test('copied into a CommonJS app, with its kind of module beside it, it can be imported and required', async (t) => {
  const use = `createTokenSource({ brokerUrl: process.argv[2] }).get().then(({ token }) => console.log(token));`;
  const app = t.testdir({
    'package.json': '{ "name": "app", "type": "commonjs" }', // what `npm init` writes
    'app.mjs': `import { createTokenSource } from './broker-client/index.js';\n${use}`,
    'app.js': `const { createTokenSource } = require('./broker-client/index.js');\n${use}`,
  });
  cpSync(path.join(packed, 'client'), path.join(app, 'broker-client'), { recursive: true });
  writeFileSync(path.join(app, 'broker-client/package.json'), '{ "type": "module" }'); // as docs/client.md says
  const broker = await startScriptedBroker(t);
  for (const file of ['app.mjs', 'app.js']) {
    broker.answer(minted(`token of ${file}`));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [file, broker.url], { cwd: app, env });
    t.equal(stdout, `token of ${file}\n`);
    t.equal(stderr, '', 'no warning');
  }
});

/** The subset of browser and Node globals that React Native has. */
const REACT_NATIVE = {
  fetch,
  AbortController,
  setTimeout,
  clearTimeout,
  performance: { now: () => performance.now() },
};

test('it works in React Native: bundled, and with only the globals of its engine', async (t) => {
  const app = installed(t, {
    'app.js': `import { createTokenSource } from 'cartesia-broker/client';
globalThis.mint = async (brokerUrl) => (await createTokenSource({ brokerUrl, credential: 'session' }).get()).token;`,
  });
  const { outputFiles } = await build({
    absWorkingDir: app,
    entryPoints: ['app.js'],
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2020',
    platform: 'neutral',
    conditions: ['react-native'],
  });
  const broker = await startScriptedBroker(t);
  broker.answer(minted('one'));
  const context = createContext({ ...REACT_NATIVE });
  runInContext(outputFiles[0]?.text ?? '', context);
  t.equal(await runInContext(`mint(${JSON.stringify(broker.url)})`, context), 'one');
});
