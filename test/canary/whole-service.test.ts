// Searches every output of the minting service for every secret it can have.
import { spawnSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { test } from 'tap';
import { request } from 'undici';
import { runCheckConfig } from '../../src/commands/check-config.ts';
import { runHealthcheck } from '../../src/commands/healthcheck.ts';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { capturedIo } from '../commands/captured-io.ts';
import { mintBytes } from '../e2e/mint-bytes.ts';
import { openRaw } from '../e2e/raw-connection.ts';
import { startRunningBroker } from '../e2e/running-broker.ts';
import { startIssuerServer } from '../identity/jwt/issuer-server.ts';
import { createSigningKey, goodClaims, signJwt } from '../identity/jwt/signing-key.ts';
import { redisServer } from '../store/redis-server.ts';
import { makeCanary, makePasswordCanary } from './canary.ts';
import { OutputWatch } from './output-watch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('a service with every kind of secret reveals none of them', async (t) => {
  const issuer = await startIssuerServer();
  t.teardown(() => issuer.close());
  const key = createSigningKey();
  issuer.publish(key.jwk);
  const [first, second] = [makeCanary('upstream key', 'sk_car_'), makeCanary('second upstream key', 'sk_car_')];
  const [signing, earlier] = [makeCanary('signing secret'), makeCanary('earlier signing secret')];
  const store = makePasswordCanary('store password');
  const backendKey = createAppKey();
  const { broker, simulator, appKey, watch, logText } = await startRunningBroker(t, {
    simulator: { apiKeys: [first.value, second.value] },
    env: {
      CARTESIA_API_KEY: `${first.value},${second.value}`,
      TOKEN_SIGNING_SECRET: `${signing.value},${earlier.value}`,
      REDIS_URL: (await redisServer(t, { password: store.value })).url.reveal(),
    },
    file: (digest) => ({
      clients: {
        kiosk: { auth: { keys: [digest] }, grants: ['tts'], limits: { mint: 'off' } },
        web: {
          auth: { jwt: [{ issuer: issuer.issuer, audience: 'voice', jwks_url: issuer.jwksUrl }] },
          grants: ['tts'],
          origins: ['https://app.example.com'],
          limits: { mint: 'off' },
        },
        backend: {
          trusted: true,
          auth: { keys: [`sha256:${appKeyDigest(backendKey)}`] },
          grants: ['tts', 'stt'],
          delivery: 'proxied',
          limits: { mint: '3/minute' },
        },
      },
    }),
  });
  const subject = makeCanary('subject', 'user:');
  const jwt = signJwt(key, { ...goodClaims(issuer.issuer), sub: subject.value, email: makeCanary('mail').value });
  for (const canary of [first, second, signing, earlier, store]) watch.add(canary);
  watch.add(subject, 'user:'.length);
  watch.add({ name: 'app key of the backend', value: backendKey }, 'cb_'.length);
  watch.add({ name: "user's JWT", value: jwt });

  const send = async (bytes: string): Promise<number> => {
    const connection = await openRaw(t, broker.url);
    connection.send(bytes);
    const { status } = await connection.response();
    connection.socket.destroy();
    return status;
  };
  const asSubject = [`X-Broker-Subject: ${subject.value}`];
  for (let round = 0; round < 2; round += 1) {
    for (const credential of [appKey, jwt]) t.equal(await send(mintBytes({ credential })), 200);
    t.equal(await send(mintBytes({ credential: backendKey, fields: asSubject })), 200);
  }
  const keys = new Set(
    simulator.journal.entries({ path: '/access-token' }).map(({ headers }) => headers['authorization']),
  );
  t.equal(keys.size, 2, 'both keys were in use');
  for (const credential of [appKey, jwt, backendKey]) {
    t.equal(await send(mintBytes({ credential, body: '{"grants":{"agent":true}}' })), 403);
    t.equal(await send(mintBytes({ credential, body: '{' })), 400);
    t.equal(await send(mintBytes({ credential, fields: ['X-A : b'] })), 400);
    t.equal(await send(mintBytes({ credential, target: `/nothing?api_key=${credential}` })), 404);
    t.equal(await send(mintBytes({ credential: null, target: `/access-token?api_key=${credential}` })), 401);
    t.equal(await send(mintBytes({ credential, fields: [`X: ${'a'.repeat(17_000)}`] })), 431);
    t.equal(await send(mintBytes({ credential: `${credential}x` })), 401);
  }
  t.equal(await send(mintBytes({ credential: backendKey, fields: asSubject })), 200, 'the third and last');
  t.equal(await send(mintBytes({ credential: backendKey, fields: asSubject })), 429);
  t.equal(await send(mintBytes({ credential: appKey, fields: asSubject })), 403);
  simulator.faults.add({ match: {}, times: 3, action: { type: 'answer', status: 401, echoAuthorization: true } });
  t.equal(await send(mintBytes({ credential: appKey })), 502);

  for (const url of [
    ...['/', '/docs', '/openapi.json', '/livez', '/readyz'].map((path) => broker.url + path),
    ...['/livez', '/readyz', '/metrics', '/nothing'].map((path) => broker.managementUrl + path),
  ]) {
    const { body } = await request(url, { headers: { authorization: `Bearer ${appKey}` } });
    t.ok((await body.text()).length > 0, url);
  }
  watch.record('metrics', await broker.metrics.registry.metrics());
  await broker.stop({ delayMs: 0 });
  t.ok(logText().includes('"audit":"mint"') && logText().includes('"audit":"refusal"'));
  for (const source of ['answers', 'log', 'metrics'])
    t.ok((watch.sizes()[source] ?? 0) > 1000, `${source} was searched`);
  t.strictSame(watch.leaks(), []);
});

test('the commands that print settings print no secret', async (t) => {
  const watch = new OutputWatch();
  t.teardown(() => watch.assertClean());
  const upstream = makeCanary('upstream key', 'sk_car_');
  const signing = makeCanary('signing secret');
  const store = makePasswordCanary('store password');
  const appKey = createAppKey();
  for (const canary of [upstream, signing, store]) watch.add(canary);
  watch.add({ name: 'app key', value: appKey });
  const directory = t.testdir({
    key: `${upstream.value}\n`,
    'broken.yaml': `upstream: { api_key: "${upstream.value}\n`,
  });
  const good = {
    CARTESIA_API_KEY_FILE: join(directory, 'key'),
    TOKEN_SIGNING_SECRET: signing.value,
    REDIS_URL: `redis://:${encodeURIComponent(store.value)}@127.0.0.1:6379`,
    CLIENT_KEYS: `kiosk=sha256:${appKeyDigest(appKey)}`,
  };
  const environments: readonly Readonly<Record<string, string>>[] = [
    good,
    { ...good, CARTESIA_API_KEY: upstream.value },
    { ...good, CLIENT_KEYS: `kiosk=${appKey}` },
    { ...good, CLIENT_KEYS: appKey },
    { ...good, REDIS_URL: store.value },
    { ...good, CARTESIA_BASE_URL: `https://${encodeURIComponent(store.value)}@api.cartesia.ai` },
    { ...good, CARTESIA_APIKEY: upstream.value, SIGNING_SECRET: signing.value },
    { ...good, BROKER_CONFIG: join(directory, 'broken.yaml') },
    { ...good, BROKER_CONFIG: join(directory, 'key') },
    { ...good, PORT: upstream.value, TLS_KEY_FILE: upstream.value },
  ];
  for (const [index, env] of environments.entries()) {
    for (const [name, run, fine] of [
      ['check-config', runCheckConfig, 0],
      ['healthcheck', runHealthcheck, 1], // no broker is running
    ] as const) {
      const io = capturedIo(env);
      const code = await run([], io);
      if (index === 0) t.equal(code, fine, name);
      t.ok(io.written.stdout.length + io.written.stderr.length > 0);
      watch.record(name, io.written.stdout + io.written.stderr);
    }
  }
  for (const argv of [
    ['--help'],
    ['serve', upstream.value],
    ['simulate', '--help'],
    [upstream.value],
    ['key', appKey],
    ['demo', appKey],
  ]) {
    const { stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'src/main.ts'), ...argv], {
      env: { PATH: process.env['PATH'], ...good },
      encoding: 'utf8',
    });
    t.ok(stdout.length + stderr.length > 0);
    watch.record('help and usage', stdout + stderr);
  }
  t.strictSame(watch.leaks(), []);
});

test('the package holds no secret of the machine that packed it, and only the files it needs', async (t) => {
  const watch = new OutputWatch(1); // five megabytes
  const inEnvironment = makeCanary('upstream key of the environment', 'sk_car_');
  const inFile = makeCanary('upstream key of a file', 'sk_car_');
  for (const canary of [inEnvironment, inFile]) watch.add(canary, 'sk_car_'.length);

  const copy = t.testdir({});
  for (const entry of [
    'src',
    'scripts',
    'docs',
    'package.json',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    'config.schema.json',
    '.env.example',
  ])
    await cp(join(ROOT, entry), join(copy, entry), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  // Secret files as operators keep them beside a checkout.
  await mkdir(join(copy, 'secrets'));
  for (const file of ['.env', 'secrets/cartesia_api_key', 'docs/.env', 'src/.env'])
    await writeFile(join(copy, file), `CARTESIA_API_KEY=${inFile.value}\n`);

  const env = { ...process.env, CARTESIA_API_KEY: inEnvironment.value };
  const built = spawnSync(process.execPath, ['scripts/build.ts'], { cwd: copy, env, encoding: 'utf8' });
  t.equal(built.status, 0, built.stderr);
  const packed = spawnSync('npm', ['pack', '--ignore-scripts', '--json'], { cwd: copy, env, encoding: 'utf8' });
  t.equal(packed.status, 0, packed.stderr);
  const tarball = (await readdir(copy)).find((name) => name.endsWith('.tgz')) ?? '';
  const tar = gunzipSync(await readFile(join(copy, tarball)));
  t.ok(tar.length > 100_000);
  watch.record('tarball', tar);
  watch.record('build output', built.stdout + built.stderr + packed.stdout + packed.stderr);
  t.strictSame(watch.leaks(), []);
  const files = (JSON.parse(packed.stdout) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path);
  t.strictSame(
    files.filter(
      (path) =>
        !/^(dist\/|docs\/[\w-]+\.md$|README\.md$|CHANGELOG\.md$|LICENSE$|package\.json$|config\.schema\.json$|\.env\.example$)/.test(
          path,
        ),
    ),
    [],
  );
  t.strictSame(
    files.filter((path) => path.endsWith('.map')),
    [],
  );

  watch.record('tarball', Buffer.from(`the control: ${inFile.value}`));
  t.equal(watch.leaks().length, 1, 'one would have been found');
});
