// Secrets that are renewed in their files while the broker runs, as Kubernetes and people do it.
import { once } from 'node:events';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { type Canary, makeCanary, makePasswordCanary } from '../canary/canary.ts';
import { OutputWatch } from '../canary/output-watch.ts';
import { redisServer } from '../store/redis-server.ts';
import { type CarryingBroker, mintProxied, open, SPEECH, send, startCarrying, until } from './carried-broker.ts';
import { until as untilAsync } from './limits-answers.ts';
import { serveProcess } from './serve-process.ts';

const RENEWED = 'secret renewed';
const FAILED = 'secret not renewed: the old one stays in use';

/** Resolves with the first line that has this message, and clears the log. */
async function logged({ logs }: CarryingBroker, msg: string): Promise<Record<string, unknown>> {
  const line = await until(() => logs.find((entry) => entry['msg'] === msg), `line "${msg}"`);
  logs.length = 0;
  return line;
}

const speak = ({ broker, token }: CarryingBroker, credential = token) =>
  send(`${broker.url}/tts/bytes`, { credential, json: SPEECH });

/** The keys that the simulated Cartesia received, in order. */
const keysSent = ({ simulator }: CarryingBroker) =>
  simulator.journal.entries({ path: '/tts/bytes' }).map(({ headers }) => headers['authorization']);

interface Mounted {
  readonly path: string;
  /** Publishes a new version of the directory by swapping a symbolic link. */
  put(text: string): Promise<void>;
}

/** A secret as Kubernetes mounts it: the file is a link into a directory that is a link. */
async function mount(t: Test, name: string, text: string): Promise<Mounted> {
  const directory = t.testdir({});
  let version = 0;
  const put = async (next: string): Promise<void> => {
    version += 1;
    await mkdir(join(directory, `..v${version}`));
    await writeFile(join(directory, `..v${version}`, name), next);
    await symlink(`..v${version}`, join(directory, '..data.new'));
    await rename(join(directory, '..data.new'), join(directory, '..data'));
  };
  await put(text);
  await symlink(`..data/${name}`, join(directory, name));
  return { path: join(directory, name), put };
}

for (const transport of ['undici', 'native'] as const) {
  test(`the API key is replaced during a running stream, over ${transport}`, async (t) => {
    const [first, second] = [makeCanary('first key', 'sk_car_'), makeCanary('second key', 'sk_car_')];
    const file = await mount(t, 'api-key', `${first.value}\n`);
    const running = await startCarrying(t, {
      transport,
      simulator: { apiKeys: [first.value, second.value] },
      env: { CARTESIA_API_KEY: undefined, CARTESIA_API_KEY_FILE: file.path },
      seams: { secretsCheckMs: 10 },
    });
    for (const key of [first, second]) running.watch.add(key, 'sk_car_'.length);
    const { broker, simulator, token } = running;
    simulator.configure({ latency: { perChunkMs: 20 } });
    const stream = await open(`${broker.url}/tts/bytes`, { credential: token, json: SPEECH });

    await file.put(`${second.value}\n`);
    t.match(await logged(running, RENEWED), { level: 'info', setting: 'CARTESIA_API_KEY_FILE' });
    simulator.configure({ latency: { perChunkMs: 0 }, apiKeys: [second.value] });
    t.equal((await speak(running)).status, 200);
    stream.resume();
    await once(stream, 'close');
    t.ok(stream.complete, 'what began with the old key ended with it');
    t.strictSame(keysSent(running), [`Bearer ${first.value}`, `Bearer ${second.value}`]);
    t.equal((await send(`${broker.url}/access-token`, { credential: running.appKey, json: {} })).status, 200);

    simulator.faults.add({ match: {}, times: 1, action: { type: 'answer', status: 401, echoAuthorization: true } });
    t.equal((await speak(running)).status, 502);
    t.match(await broker.metrics.secretsRenewed.get(), { values: [{ labels: { secret: 'api_key' }, value: 1 }] });
  });
}

test('a missing, empty or invalid key file keeps the old key, raises an alarm, and is mended by the next one', async (t) => {
  const [first, second] = [makeCanary('first key', 'sk_car_'), makeCanary('second key', 'sk_car_')];
  const broken = makeCanary('broken key', 'sk_car_');
  const path = join(t.testdir({ key: first.value }), 'key');
  const running = await startCarrying(t, {
    simulator: { apiKeys: [first.value, second.value] },
    env: { CARTESIA_API_KEY: undefined, CARTESIA_API_KEY_FILE: path },
    seams: { secretsCheckMs: 10 },
  });
  for (const key of [first, second, broken]) running.watch.add(key, 'sk_car_'.length);
  const unusable = async (): Promise<unknown> =>
    (await running.broker.metrics.secretFileUnusable.get()).values.map(({ value }) => value);

  for (const breakIt of [
    () => writeFile(path, ''),
    () => rm(path),
    () => writeFile(path, `${broken.value} ${broken.value}`),
    () => writeFile(path, `${broken.value},,`),
  ]) {
    await breakIt();
    t.match(await logged(running, FAILED), { level: 'error', setting: 'CARTESIA_API_KEY_FILE', reason: String });
    t.strictSame(await unusable(), [1]);
    t.equal((await speak(running)).status, 200);
  }
  t.ok(keysSent(running).every((key) => key === `Bearer ${first.value}`));
  await writeFile(path, second.value);
  await logged(running, RENEWED);
  t.strictSame(await unusable(), [0]);
  t.equal((await speak(running)).status, 200);
  t.equal(keysSent(running).at(-1), `Bearer ${second.value}`);
});

test('the signing secret rotates: the new one is added, then the old one goes and its tokens with it', async (t) => {
  const [first, second] = [makeCanary('first signing secret'), makeCanary('second signing secret')];
  const file = await mount(t, 'signing', first.value);
  const running = await startCarrying(t, {
    env: { TOKEN_SIGNING_SECRET: undefined, TOKEN_SIGNING_SECRET_FILE: file.path },
    seams: { secretsCheckMs: 10 },
  });
  for (const secret of [first, second]) running.watch.add(secret);
  const { broker, appKey, token: early } = running;
  t.equal((await speak(running, early)).status, 200);

  await file.put(`${second.value}\n${first.value}\n`);
  await logged(running, RENEWED);
  const late = await mintProxied(broker.url, appKey);
  for (const token of [early, late]) t.equal((await speak(running, token)).status, 200);

  await file.put(second.value);
  await logged(running, RENEWED);
  t.equal((await speak(running, early)).status, 401);
  t.equal((await speak(running, late)).status, 200);

  await file.put('too short');
  t.match(await logged(running, FAILED), { setting: 'TOKEN_SIGNING_SECRET_FILE' });
  t.equal((await speak(running, late)).status, 200);
});

test('a new admin token opens, and the old one no longer does', async (t) => {
  const [first, second] = [makeCanary('first admin token'), makeCanary('second admin token')];
  const path = join(t.testdir({ admin: first.value }), 'admin');
  const running = await startCarrying(t, { env: { ADMIN_TOKEN_FILE: path }, seams: { secretsCheckMs: 10 } });
  for (const secret of [first, second]) running.watch.add(secret);
  const statusWith = async ({ value }: Canary): Promise<number> =>
    (await send(`${running.broker.managementUrl}/admin/sessions`, { credential: value })).status;
  t.strictSame([await statusWith(first), await statusWith(second)], [200, 401]);
  await writeFile(path, second.value);
  await logged(running, RENEWED);
  t.strictSame([await statusWith(first), await statusWith(second)], [401, 200]);
});

test("Redis' password is renewed: the next connection uses the new one", async (t) => {
  const [first, second] = [makePasswordCanary('first password'), makePasswordCanary('second password')];
  const redis = await redisServer(t, { password: first.value });
  const path = join(t.testdir({ url: redis.url.reveal() }), 'url');
  const running = await startCarrying(t, {
    env: { REDIS_URL_FILE: path, TTS_CONCURRENCY: '2' },
    seams: { secretsCheckMs: 10 },
  });
  for (const secret of [first, second]) running.watch.add(secret);
  t.equal((await speak(running)).status, 200);

  await writeFile(path, `redis://:${encodeURIComponent(second.value)}@127.0.0.1:${redis.port}`);
  await logged(running, RENEWED);
  t.equal((await speak(running)).status, 200, 'the open connection goes on');
  await redis.kill();
  await redis.start(second.value);
  await untilAsync(async () => (await speak(running)).status === 200);
});

test('a password that Redis has already changed is read when connecting, not seconds later', async (t) => {
  const [first, second] = [makePasswordCanary('first password'), makePasswordCanary('second password')];
  const redis = await redisServer(t, { password: first.value });
  const path = join(t.testdir({ url: redis.url.reveal() }), 'url');
  const running = await startCarrying(t, {
    env: { REDIS_URL_FILE: path, TTS_CONCURRENCY: '2' },
    seams: { secretsCheckMs: 600_000 },
  });
  for (const secret of [first, second]) running.watch.add(secret);
  t.equal((await speak(running)).status, 200);
  await redis.kill();
  await redis.start(second.value);
  await until(() => running.logs.find(({ reason }) => reason === 'WRONGPASS'), 'the old password is refused');
  await writeFile(path, `redis://:${encodeURIComponent(second.value)}@127.0.0.1:${redis.port}`);
  await untilAsync(async () => (await speak(running)).status === 200);
  await logged(running, RENEWED);
});

test('SIGHUP reads the files at once, and stops nothing', async (t) => {
  const watch = new OutputWatch();
  t.teardown(() => watch.assertClean());
  const [first, second] = [makeCanary('first key', 'sk_car_'), makeCanary('second key', 'sk_car_')];
  for (const key of [first, second]) watch.add(key, 'sk_car_'.length);
  const simulator = await startSimulator({ tlsPort: null, apiKeys: [first.value, second.value] });
  t.teardown(() => simulator.close());
  const path = join(t.testdir({ key: first.value }), 'key');
  const appKey = createAppKey();
  const served = serveProcess(t, {
    watch,
    env: {
      CARTESIA_API_KEY_FILE: path,
      CARTESIA_BASE_URL: simulator.url,
      CARTESIA_ALLOW_INSECURE: 'true',
      CLIENT_KEYS: `kiosk=sha256:${appKeyDigest(appKey)}`,
      PORT: '0',
      MANAGEMENT_PORT: '0',
    },
  });
  const { url } = await served.listening;
  await writeFile(path, second.value);
  const start = performance.now();
  served.child.kill('SIGHUP');
  await served.logged(RENEWED);
  t.ok(performance.now() - start < 5_000, 'sooner than the check every ten seconds');
  t.equal((await send(`${url}/access-token`, { credential: appKey, json: {} })).status, 200);
  t.equal(
    simulator.journal.entries({ path: '/access-token' }).at(-1)?.headers['authorization'],
    `Bearer ${second.value}`,
  );
  served.child.kill('SIGHUP');
  served.child.kill('SIGINT');
  t.strictSame(await served.ended, { code: 0, signal: null });
});
