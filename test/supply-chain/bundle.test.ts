// The bundle as it is shipped: every part of it works, and it loads no more than it needs.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { type Test, test } from 'tap';
import { request } from 'undici';
import { WebSocket } from 'ws';
import { bundle } from '../../scripts/build/bundle.ts';
import { isFresh } from '../../scripts/build/freshness.ts';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { filesUnder, ROOT } from '../source-imports.ts';
import { redisServer } from '../store/redis-server.ts';
import { buildPackage } from './built-package.ts';

test('a broker with every feature enabled runs from the bundle', async (t) => {
  const { folder, main } = await buildPackage(t);
  const simulator = await startSimulator({ tlsPort: null });
  t.teardown(() => simulator.close());
  const redis = await redisServer(t);
  const [direct, proxied] = [createAppKey(), createAppKey()];
  writeFileSync(
    path.join(folder, 'broker.yaml'),
    `listen: { port: 0, drain_delay: 0 }
management: { port: 0 }
upstream: { base_url: "${simulator.url}", allow_insecure: true }
tokens: { signing_secret: ${'s'.repeat(40)} }
store: { redis_url: "${redis.url.reveal()}" }
clients:
  direct: { auth: { keys: ["sha256:${appKeyDigest(direct)}"] }, origins: [https://app.example.com] }
  proxied: { auth: { keys: ["sha256:${appKeyDigest(proxied)}"] }, delivery: proxied }
`,
  );
  const broker = spawnBroker(t, main, { BROKER_CONFIG: './broker.yaml', CARTESIA_API_KEY: simulator.apiKey }, folder);
  const { url, managementUrl } = await listening(broker);

  for (const [delivery, key] of Object.entries({ direct, proxied })) {
    const { statusCode, headers, body } = await request(`${url}/access-token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key },
      body: '{"grants":{"tts":true},"expires_in":60}',
    });
    t.match(await body.json(), { delivery, token: /^\S{20,}$/, expires_in: 60 }, `${delivery}: undici, or jose`);
    t.equal(statusCode, 200);
    t.ok(
      Object.keys(headers).some((name) => name.startsWith('ratelimit')),
      '@fastify/rate-limit',
    );
  }
  const preflight = await request(`${url}/access-token`, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
  });
  t.equal(preflight.headers['access-control-allow-origin'], 'https://app.example.com', '@fastify/cors');
  const metrics = await (await request(`${managementUrl}/metrics`)).body.text();
  t.match(metrics, /^broker_mints_total\{[^}]*client="direct"[^}]*\} 1$/m, 'prom-client');
  t.match(metrics, /^process_cpu_seconds_total /m);
  t.match(metrics, /^broker_store_up 1$/m, 'ioredis');
  for (const route of ['/docs', '/openapi.json', '/livez'])
    t.equal((await request(`${url}${route}`)).statusCode, 200, route);

  broker.kill('SIGTERM');
  t.strictSame(await once(broker, 'exit'), [0, null], 'close-with-grace');
});

test('the demo runs from the bundle: an SDK, an OIDC user, speech', async (t) => {
  const { folder, main } = await buildPackage(t);
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'demo', '--once'], {
    cwd: folder,
    encoding: 'utf8',
    env: cleanEnvironment(),
  });
  t.equal(status, 0, stderr);
  t.match(stdout, /demo\.wav/);
  t.equal(readFileSync(path.join(folder, 'demo.wav')).subarray(0, 4).toString(), 'RIFF');
});

test('the simulator runs from the bundle: sockets, uploads, MP3 both ways', async (t) => {
  const { folder, main } = await buildPackage(t);
  const simulator = spawn(process.execPath, [main, 'simulate', '--port', '0', '--tls-port', '0'], {
    cwd: folder,
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => simulator.kill('SIGKILL'));
  const [greeting] = (await once(simulator.stdout, 'data')) as [Buffer];
  const [, url = ''] = / (http:\/\/\S+)/.exec(greeting.toString()) ?? [];
  const headers = { authorization: 'Bearer sk_car_simulated', 'cartesia-version': '2026-03-01' };
  const generation = {
    model_id: 'sonic-3',
    transcript: 'Good morning.',
    voice: { mode: 'id', id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b' },
  };

  const speech = await request(`${url}/tts/bytes`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...generation,
      output_format: { container: 'mp3', sample_rate: 44_100, bit_rate: 128_000 },
    }),
  });
  const mp3 = await speech.body.arrayBuffer();
  t.equal(speech.statusCode, 200, 'wasm-media-encoders');
  const heard = await request(`${url}/stt`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'multipart/form-data; boundary=between' },
    body: Buffer.concat([
      Buffer.from('--between\r\ncontent-disposition: form-data; name="model"\r\n\r\nink-whisper\r\n'),
      Buffer.from('--between\r\ncontent-disposition: form-data; name="file"; filename="speech.mp3"\r\n\r\n'),
      Buffer.from(mp3),
      Buffer.from('\r\n--between--\r\n'),
    ]),
  });
  t.match(await heard.body.json(), { text: 'Good morning.' }, '@fastify/busboy, mpg123-decoder');

  const socket = new WebSocket(`${url.replace('http', 'ws')}/tts/websocket`, { headers });
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  const output = { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 };
  socket.send(JSON.stringify({ ...generation, context_id: 'one', output_format: output }));
  const [message] = (await once(socket, 'message')) as [Buffer];
  t.match(JSON.parse(message.toString()), { type: 'chunk', context_id: 'one' }, 'ws');
});

test('the bundle does not load what it does not need', async (t) => {
  const { folder, main } = await buildPackage(t);
  const listModules = path.join(folder, 'list-modules.cjs');
  writeFileSync(
    listModules,
    "process.on('SIGUSR2', () => { process.stdout.write(JSON.stringify({ msg: 'modules', list: process.moduleLoadList }) + '\\n'); });",
  );
  const broker = spawnBroker(t, main, { ...MINIMAL, NODE_OPTIONS: `--require=${listModules}` }, folder);
  const lines = createInterface(broker.stdout as NodeJS.ReadableStream);
  const list = await new Promise<string[]>((resolve) => {
    lines.on('line', (line) => {
      const said = JSON.parse(line) as { msg: string; url: string; list: string[] };
      // A mint that fails; by then, everything on the path to Cartesia is loaded.
      if (said.msg === 'listening') void mint(said.url).then(() => broker.kill('SIGUSR2'));
      if (said.msg === 'modules') resolve(said.list);
    });
  });
  const loaded = new Set(list.map((name) => name.replace(/^NativeModule /, '')));
  t.ok(loaded.has('http'), 'the list is valid');
  // Node's own fetch is loaded by a plain `import` of node:http, and takes a quarter of the memory at start.
  t.notOk(loaded.has('internal/deps/undici/undici'), "Node's own fetch");
  t.notOk(loaded.has('http2'), 'HTTP/2, which the broker does not use');
});

test('SIGUSR1 does not open the inspector', async (t) => {
  const { folder, main } = await buildPackage(t);
  const broker = spawnBroker(t, main, MINIMAL, folder);
  let stderr = '';
  broker.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const { url } = await listening(broker);
  broker.kill('SIGUSR1');
  t.equal((await request(url)).statusCode, 200, 'it is still running');
  t.notMatch(stderr, /Debugger listening/);
  const control = spawn(
    process.execPath,
    ['--inspect-port=0', '-e', 'setInterval(() => {}, 1000); console.log("up")'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  t.teardown(() => control.kill('SIGKILL'));
  await once(control.stdout, 'data');
  control.kill('SIGUSR1');
  const [said] = (await once(control.stderr, 'data')) as [Buffer];
  t.match(said.toString(), /Debugger listening/, 'control: a process that does not handle the signal opens one');
});

test('the same source gives the same bytes, without any path of this machine', async (t) => {
  const folder = t.testdir({});
  const [one, two] = ['one', 'two'].map((name) => path.join(folder, name)) as [string, string];
  await bundle({ root: ROOT, outdir: one });
  await bundle({ root: ROOT, outdir: two });
  t.strictSame(readdirSync(one), readdirSync(two));
  for (const name of readdirSync(one)) {
    const bytes = readFileSync(path.join(one, name));
    t.ok(bytes.equals(readFileSync(path.join(two, name))), name);
    t.notOk(bytes.includes(ROOT), `${name} names no folder of this machine`);
    t.notOk(/sourceMappingURL=/.test(bytes.toString()), `${name} has no source map`);
  }
});

test('the licence of every bundled package is included', async (t) => {
  const { folder, inputs } = await buildPackage(t);
  const text = readFileSync(path.join(folder, 'dist/THIRD-PARTY-LICENSES.txt'), 'utf8');
  const packages = new Set(
    inputs.flatMap((input) => /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules)/.exec(input)?.[1] ?? []),
  );
  t.ok(packages.size > 20);
  for (const name of packages) t.ok(text.includes(`${name} `), name);
});

test('a build is stale as soon as one of its source files is newer', async (t) => {
  const root = t.testdir({ src: { 'main.ts': '', deep: { 'part.ts': '' } }, dist: {} });
  const outdir = path.join(root, 'dist');
  t.notOk(isFresh(root, outdir), 'never built');
  writeFileSync(path.join(outdir, 'THIRD-PARTY-LICENSES.txt'), '');
  const past = new Date(Date.now() - 60_000);
  for (const file of [...['src', 'src/main.ts', 'src/deep', 'src/deep/part.ts'].map((name) => path.join(root, name))])
    utimesSync(file, past, past);
  t.ok(isFresh(root, outdir));
  const future = new Date(Date.now() + 60_000);
  utimesSync(path.join(root, 'src/deep/part.ts'), future, future);
  t.notOk(isFresh(root, outdir));
});

test('the build reads no file that the image lacks', async (t) => {
  const { inputs } = await buildPackage(t);
  const ours = inputs.filter((input) => !input.includes('node_modules/'));
  const allowed = new Set([...filesUnder('src', '.ts'), 'docs/openapi.json']);
  t.strictSame(
    ours.filter((input) => !allowed.has(input)),
    [],
  );
});

async function mint(url: string): Promise<void> {
  const { body } = await request(`${url}/access-token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  await body.dump();
}

const MINIMAL = {
  CARTESIA_API_KEY: 'sk_car_unused',
  CARTESIA_BASE_URL: 'https://127.0.0.1:1', // nothing listens there
  ALLOW_ANONYMOUS: 'true',
  PORT: '0',
  MANAGEMENT_PORT: '0',
};

/** Without the environment of the test runner. */
function cleanEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '' };
}

function spawnBroker(t: Test, main: string, env: Readonly<Record<string, string>>, cwd: string): ChildProcess {
  const child = spawn(process.execPath, [main, 'serve'], {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

async function listening(child: ChildProcess): Promise<{ readonly url: string; readonly managementUrl: string }> {
  for await (const line of createInterface(child.stdout as NodeJS.ReadableStream)) {
    const said = JSON.parse(line) as { readonly msg: string; readonly url: string; readonly management_url: string };
    if (said.msg !== 'listening') continue;
    child.stdout?.resume();
    return { url: said.url, managementUrl: said.management_url };
  }
  throw new Error('the broker ended before it listened');
}
