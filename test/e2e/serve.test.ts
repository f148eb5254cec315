// The process: how it starts and stops, what it says when it cannot, and that nothing it shows holds a secret.
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { Agent, request } from 'undici';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { type Simulator, startSimulator } from '../../src/simulator/simulator.ts';
import { makeCanary, makePasswordCanary } from '../canary/canary.ts';
import { OutputWatch } from '../canary/output-watch.ts';
import { redisServer } from '../store/redis-server.ts';
import { mintBytes } from './mint-bytes.ts';
import { openRaw } from './raw-connection.ts';
import { type ServeProcess, serveProcess } from './serve-process.ts';

const CRASH = fileURLToPath(new URL('crash-on-message.ts', import.meta.url));

interface Served extends ServeProcess {
  readonly simulator: Simulator;
  readonly appKey: string;
  readonly watch: OutputWatch;
  readonly url: string;
  readonly managementUrl: string;
}

interface Options {
  /** Seconds. */
  readonly drainDelay?: number;
  readonly drainDeadline?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeOptions?: readonly string[];
}

/** Every secret that the service can have is a canary, and all output of the process is searched for them at the end. */
async function settings(t: Test, { drainDelay = 0, drainDeadline = 5, env = {} }: Options) {
  const watch = new OutputWatch();
  t.teardown(() => watch.assertClean());
  const [first, second] = [makeCanary('upstream key', 'sk_car_'), makeCanary('second upstream key', 'sk_car_')];
  for (const key of [first, second]) watch.add(key, 'sk_car_'.length);
  const appKey = createAppKey();
  watch.add({ name: 'app key', value: appKey }, 'cb_'.length);
  const signing = makeCanary('signing secret');
  watch.add(signing);
  const store = makePasswordCanary('store password');
  watch.add(store);
  const redis = await redisServer(t, { password: store.value });
  const simulator = await startSimulator({ tlsPort: null, apiKeys: [first.value, second.value] });
  t.teardown(() => simulator.close());
  const directory = t.testdir({
    'broker.json': JSON.stringify({ listen: { drain_delay: drainDelay, drain_deadline: drainDeadline } }),
  });
  const all = {
    CARTESIA_API_KEY: `${first.value},${second.value}`,
    CARTESIA_BASE_URL: simulator.url,
    CARTESIA_ALLOW_INSECURE: 'true',
    CLIENT_KEYS: `kiosk=sha256:${appKeyDigest(appKey)}`,
    TOKEN_SIGNING_SECRET: signing.value,
    REDIS_URL: redis.url.reveal(),
    PORT: '0',
    MANAGEMENT_PORT: '0',
    MINT_RATE: 'off',
    MINT_RATE_PER_IP: 'off',
    LOG_LEVEL: 'trace',
    BROKER_CONFIG: join(directory, 'broker.json'),
    ...env,
  };
  return { env: all, watch, simulator, appKey, directory };
}

async function serve(t: Test, options: Options = {}): Promise<Served> {
  const { env, watch, simulator, appKey } = await settings(t, options);
  const served = serveProcess(t, { env, watch, nodeOptions: options.nodeOptions ?? [] });
  return { ...served, ...(await served.listening), simulator, appKey, watch };
}

interface MintAnswer {
  readonly status: number;
  readonly connection: string | undefined;
}

async function mint({ url, appKey, watch }: Served, dispatcher: Agent, close = false): Promise<MintAnswer> {
  const { statusCode, headers, body } = await request(`${url}/access-token`, {
    dispatcher,
    method: 'POST',
    reset: close,
    headers: { authorization: `Bearer ${appKey}`, 'content-type': 'application/json' },
    body: '{}',
  });
  watch.recordAnswer('answers', await body.text());
  return { status: statusCode, connection: headers['connection']?.toString() };
}

async function readyz(base: string): Promise<number> {
  const { statusCode, body } = await request(`${base}/readyz`, { reset: true });
  await body.dump();
  return statusCode;
}

test('SIGTERM during 200 requests a second: none fails', async (t) => {
  const served = await serve(t, { drainDelay: 5 });
  served.simulator.settings.latency.mintMs = 20;
  const kept = new Agent({ connections: 10 });
  const fresh = new Agent({ connections: 50 });
  t.teardown(() => Promise.all([kept.destroy(), fresh.destroy()]));
  const answers: Promise<MintAnswer & { readonly wasDraining: boolean }>[] = [];
  let unanswered = 0;
  let stoppingAt = Number.POSITIVE_INFINITY;
  let late = 0;
  /** A load balancer reacts within 1.5 seconds; what a busy machine has not sent by then gets two more. The delay is longer. */
  const isTurnedAway = (): boolean => {
    const ms = performance.now() - stoppingAt;
    return ms > 3500 || (ms > 1500 && late > 200);
  };

  const start = performance.now();
  for (let sent = 0; !isTurnedAway(); sent += 1) {
    const wasDraining = stoppingAt < performance.now();
    if (wasDraining) late += 1;
    // Every fourth on a connection of its own.
    const isFresh = sent % 4 === 0;
    unanswered += 1;
    answers.push(
      mint(served, isFresh ? fresh : kept, isFresh)
        .then((answer) => ({ ...answer, wasDraining }))
        .finally(() => {
          unanswered -= 1;
        }),
    );
    if (sent === 200) {
      served.child.kill('SIGTERM');
      await served.logged('stopping');
      stoppingAt = performance.now();
      t.equal(await readyz(served.managementUrl), 503, 'not ready at once');
      t.equal(await readyz(served.url), 503, 'on both listeners');
      t.equal((await request(`${served.url}/livez`)).statusCode, 200, 'and alive');
    }
    const due = start + (sent + 1) * 5;
    while (due > performance.now() || unanswered > 50) await delay(1);
  }
  const all = await Promise.all(answers);
  t.ok(all.length > 400, `${all.length} requests`);
  t.ok(
    all.every(({ status }) => status === 200),
    'every one was served',
  );
  t.ok(late > 200);
  t.ok(
    all.filter(({ wasDraining }) => wasDraining).every(({ connection }) => connection === 'close'),
    'what is answered during the drain delay closes its connection',
  );
  t.strictSame(await served.ended, { code: 0, signal: null });
  t.ok(served.logs().some((line) => line['msg'] === 'stopped'));
  t.equal(served.stderr(), '');
});

test('SIGTERM: open requests are finished, idle connections are ended, then exit 0', async (t) => {
  const served = await serve(t, { drainDelay: 0 });
  served.simulator.settings.latency.mintMs = 800;
  const agent = new Agent();
  t.teardown(() => agent.destroy());
  const idle = await openRaw(t, served.url);
  idle.send('GET /livez HTTP/1.1\r\nHost: b\r\n\r\n');
  await idle.response();
  const open = mint(served, agent);
  await served.simulator.journal.waitFor({ path: '/access-token' }, () => true);
  served.child.kill('SIGTERM');
  t.match(await open, { status: 200, connection: 'close' });
  await idle.ended(4000);
  t.strictSame(await served.ended, { code: 0, signal: null });
});

test('SIGTERM: a request that never ends does not hold the process past the deadline', async (t) => {
  const served = await serve(t, { drainDelay: 0, drainDeadline: 1 });
  const stuck = await openRaw(t, served.url);
  stuck.send(mintBytes({ credential: served.appKey, framing: ['Content-Length: 100'], body: '' }));
  await request(`${served.url}/livez`).then(({ body }) => body.dump());
  const start = performance.now();
  served.child.kill('SIGTERM');
  t.strictSame(await served.ended, { code: 0, signal: null });
  t.ok(performance.now() - start < 3000);
  t.ok(served.logs().some((line) => line['outcome'] === 'aborted' || line['outcome'] === 'invalid_request'));
});

test('a signal during startup, while Redis does not answer yet, stops it cleanly', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1'); // takes connections and says nothing
  t.teardown(() => silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo; // a TCP server has one
  const opening = once(silent, 'connection'); // the broker is about to listen
  const { env, watch } = await settings(t, { env: { REDIS_URL: `redis://127.0.0.1:${port}` } });
  const served = serveProcess(t, { env, watch });
  await opening;
  served.child.kill('SIGTERM');
  t.strictSame(await served.ended, { code: 0, signal: null });
  t.strictSame(
    served
      .logs()
      .map(({ msg }) => msg)
      .filter((msg) => ['listening', 'stopping', 'stopped'].includes(String(msg))),
    ['stopping', 'listening', 'stopped'],
  );
});

test('SIGINT stops without the delay; a second signal ends the process at once', async (t) => {
  const quick = await serve(t, { drainDelay: 60 });
  const start = performance.now();
  quick.child.kill('SIGINT');
  t.strictSame(await quick.ended, { code: 0, signal: null });
  t.ok(performance.now() - start < 5000);

  const impatient = await serve(t, { drainDelay: 60 });
  impatient.child.kill('SIGTERM');
  await impatient.logged('stopping');
  impatient.child.kill('SIGTERM'); // the same one, as npm and `node --watch` pass it on
  await delay(600);
  t.equal(impatient.child.exitCode, null);
  impatient.child.kill('SIGTERM');
  t.strictSame(await impatient.ended, { code: 1, signal: null });
});

test('an uncaught error is logged without its contents, requests are drained, exit 1', async (t) => {
  for (const kind of ['throw', 'reject']) {
    const served = await serve(t, { nodeOptions: ['--import', CRASH] });
    served.simulator.settings.latency.mintMs = 300;
    const agent = new Agent();
    t.teardown(() => agent.destroy());
    const open = mint(served, agent);
    await served.simulator.journal.waitFor({ path: '/access-token' }, () => true);
    served.child.send(kind);
    t.equal((await open).status, 200, 'the open request is served');
    t.strictSame(await served.ended, { code: 1, signal: null });
    t.match(await served.logged('uncaught error: stopping'), {
      level: 'fatal',
      err: { type: 'Error', code: 'E_TEST' },
    });
    t.equal(served.stderr(), '');
  }
});

test('SIGUSR1 opens no inspector; title, arguments and diagnostic report hold no secret', async (t) => {
  const served = await serve(t, { nodeOptions: ['--import', CRASH] });
  served.child.kill('SIGUSR1');
  served.child.send('title');
  const [title] = await once(served.child, 'message');
  served.watch.record('title and arguments', JSON.stringify(title));
  const report = join(t.testdir({}), 'report.json');
  served.child.send({ reportTo: report });
  await once(served.child, 'message');
  const text = await readFile(report, 'utf8');
  t.match(text, '"header"');
  served.watch.record('diagnostic report', text);
  t.strictSame(served.watch.leaks(), []);
  t.equal((await request(`${served.url}/livez`)).statusCode, 200);
  t.notMatch(served.stderr(), 'Debugger');
  served.child.kill('SIGINT');
  await served.ended;
});

test('a port in use: exit 1, and the operator is told which one', async (t) => {
  const taken = createServer();
  t.teardown(() => taken.close());
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  for (const variable of ['PORT', 'MANAGEMENT_PORT']) {
    const { env, watch } = await settings(t, { env: { [variable]: String(port) } });
    const served = serveProcess(t, { env, watch });
    t.strictSame(await served.ended, { code: 1, signal: null });
    t.match(served.stderr(), new RegExp(`^Not started: .*EADDRINUSE.*:${port}`));
  }
});

test('an unreadable certificate: exit 1 or 2, and nothing of it is shown', async (t) => {
  const { env, watch, directory } = await settings(t, {});
  const secret = makeCanary('private key');
  watch.add(secret);
  const file = join(directory, 'tls.key');
  await writeFile(file, `-----BEGIN PRIVATE KEY-----\n${secret.value}\n-----END PRIVATE KEY-----\n`);
  const served = serveProcess(t, { env: { ...env, TLS_CERT_FILE: file, TLS_KEY_FILE: file }, watch });
  const { code } = await served.ended;
  t.ok(code === 1 || code === 2);
  t.not(served.stderr(), '');
});

test('a bad configuration: exit 2, all problems at once, no secret', async (t) => {
  const { env, watch } = await settings(t, {});
  const wrong = makeCanary('a secret in the wrong place');
  watch.add(wrong);
  const bad: Readonly<Record<string, string>> = {
    PORT: wrong.value,
    GRANTS: `tts,${wrong.value}`,
    CARTESIA_BASE_URL: `https://user:${wrong.value}@api.cartesia.ai`,
    CARTESIA_VERSION: wrong.value,
    TOKEN_TTL: wrong.value,
    TRUST_PROXY: wrong.value,
    MINT_RATE: wrong.value,
    TOKEN_SIGNING_SECRET: wrong.value.slice(0, 20),
    REDIS_URL: wrong.value,
    LOG_LEVEL: wrong.value,
  };
  const served = serveProcess(t, { watch, env: { ...env, ...bad } });
  t.strictSame(await served.ended, { code: 2, signal: null });
  for (const name of Object.keys(bad)) t.match(served.stderr(), name);

  const keyInPlaceOfDigest = serveProcess(t, { watch, env: { ...env, CLIENT_KEYS: `kiosk=${wrong.value}` } });
  t.strictSame(await keyInPlaceOfDigest.ended, { code: 2, signal: null });
  t.match(keyInPlaceOfDigest.stderr(), 'CLIENT_KEYS');
  t.strictSame(watch.leaks(), []);
});
