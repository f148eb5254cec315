// Follows docker-compose.yml to the letter as a new operator would, with the real broker but without a container engine.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'tap';
import { request } from 'undici';
import { parse } from 'yaml';
import { startBroker } from '../../src/broker.ts';
import { runHealthcheck } from '../../src/commands/healthcheck.ts';
import { formatProblem, loadConfig } from '../../src/config/load.ts';
import { SETTING_BY_VARIABLE } from '../../src/config/setting-index.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { API_KEY, configOf, KEY_HASH, LEAST, SIGNING_SECRET } from '../config/loading.ts';
import { ROOT } from '../source-imports.ts';
import { redisServer } from '../store/redis-server.ts';
import { copyScript, makeSecrets, runScript } from './make-secrets.ts';

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly ulimits: { readonly core: number };
  readonly pids_limit: number;
  readonly deploy: { readonly resources: { readonly limits: { readonly cpus: string; readonly memory: string } } };
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly stop_grace_period?: string;
  readonly logging: { readonly options: { readonly 'max-size': string } };
}

interface Compose {
  readonly services: { readonly broker: Service; readonly redis: Service };
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const text = readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8');
const compose = parse(text) as Compose;
const { broker, redis } = compose.services;

/** Resolves `${NAME:-value}` as compose does if NAME is not set. */
const withDefaults = (value: string): string => value.replace(/\$\{\w+:-([^}]*)\}/g, '$1');

test('every variable of the broker is a setting, and every shell variable has a default', async (t) => {
  const settings = Object.keys(broker.environment ?? {}).filter((name) => name !== 'NODE_OPTIONS');
  t.ok(settings.length >= 3);
  const mentioned = [...settings, ...[...text.matchAll(/^\s+#\s+([A-Z_]+): /gm)].map(([, name]) => name ?? '')];
  for (const name of mentioned) {
    const setting = SETTING_BY_VARIABLE.get(name) ?? SETTING_BY_VARIABLE.get(name.replace(/_FILE$/, ''));
    t.ok(setting, name);
    if (name.endsWith('_FILE') && !SETTING_BY_VARIABLE.has(name)) t.ok(setting?.isSecret, `${name} can be a file`);
  }
  const withoutDefault = [...text.matchAll(/\$\{(?!\w+:-)[^}]*\}|\$[A-Z_]+/g)].map(([found]) => found);
  t.strictSame(withoutDefault, ['$APP_KEY'], 'the one in a comment, meant for the shell');
});

test('secrets are files, declared where they are used, and never variables', async (t) => {
  for (const name of broker.secrets ?? []) t.match(compose.secrets[name]?.file, /^\.\/secrets\//, name);
  for (const [name, value] of Object.entries(broker.environment ?? {})) {
    if (value.startsWith('/run/secrets/')) t.ok(broker.secrets?.includes(path.basename(value)), name);
    else t.notOk(SETTING_BY_VARIABLE.get(name)?.isSecret === true && !value.startsWith('redis://redis:'), name);
  }
  t.match(readFileSync(path.join(ROOT, '.gitignore'), 'utf8'), /^secrets\/$/m);
});

test('uncommenting the lines for delivery proxied gives a configuration that loads', async (t) => {
  const lines = /^( *)# {1,3}((?:DELIVERY|PUBLIC_URL|TOKEN_SIGNING_SECRET_FILE): .*|(?:- )?token_signing_secret.*)$/gm;
  const uncommented = text
    .replace(lines, '$1$2')
    .replace('  #   file: ./secrets/token_signing_secret', '    file: ./secrets/token_signing_secret');
  const { services, secrets } = parse(uncommented) as Compose;
  const { environment = {}, secrets: mounted = [] } = services.broker;
  const names = Object.values(environment).filter((value) => value.startsWith('/run/secrets/'));
  t.equal(names.length, 3);
  for (const name of names) t.ok(mounted.includes(path.basename(name)), name);
  for (const name of mounted) t.equal(secrets[name]?.file, `./secrets/${name}`);
  const folder = t.testdir({
    cartesia_api_key: API_KEY,
    client_keys: `backend=${KEY_HASH}`,
    token_signing_secret: SIGNING_SECRET,
  });
  const env = Object.entries(environment).map(([name, value]) => [
    name,
    withDefaults(value).replace(/^\/run\/secrets/, folder),
  ]);
  const loaded = await loadConfig(Object.fromEntries(env) as Record<string, string>);
  if (loaded.outcome === 'refused') throw new Error(loaded.problems.map(formatProblem).join('\n'));
  t.strictSame(loaded.warnings.map(formatProblem), []);
  t.match(loaded.config.clients, [{ delivery: 'proxied' }]);
});

test('both services have few privileges and limited resources', async (t) => {
  for (const [name, service] of Object.entries(compose.services)) {
    t.equal(service.read_only, true, name);
    t.strictSame(service.cap_drop, ['ALL'], name);
    t.strictSame(service.security_opt, ['no-new-privileges:true'], name);
    t.equal(service.ulimits.core, 0, name);
    t.ok(service.pids_limit > 0, name);
    t.ok(service.deploy.resources.limits.cpus && service.deploy.resources.limits.memory, name);
    t.ok(service.logging.options['max-size'], name);
    t.ok(
      service.networks.every((network) => network in compose.networks),
      name,
    );
  }
  t.match(redis.image, /:\d+\.\d+\.\d+-alpine@sha256:[0-9a-f]{64}$/);
  t.notOk(redis.ports, 'Redis is not published');
  t.strictSame(redis.networks, ['state']);
  t.equal(compose.networks['state']?.internal, true);
  t.ok(
    broker.ports?.every((port) => port.startsWith('127.0.0.1:')),
    'the broker is published to this machine only',
  );
  t.equal(redis.healthcheck?.test[0], 'CMD');
  t.equal(broker.depends_on?.['redis']?.condition, 'service_healthy');
});

test('the heap gets half of the memory limit, as docs/operation.md advises', async (t) => {
  const megabytes = Number(/^(\d+)M$/.exec(broker.deploy.resources.limits.memory)?.[1]);
  t.equal(broker.environment?.['NODE_OPTIONS'], `--max-old-space-size=${megabytes / 2}`);
});

test('the grace period is longer than the longest drain', async (t) => {
  const { drainDelayMs, drainDeadlineMs } = (await configOf(LEAST)).listen;
  t.ok(Number.parseInt(broker.stop_grace_period ?? '', 10) * 1000 > drainDelayMs + drainDeadlineMs + 2000);
});

test('following its first lines gives a healthy broker that mints for the app key', async (t) => {
  const { folder, appKey } = makeSecrets(t, 'sk_car_simulated');
  const simulator = await startSimulator({ tlsPort: null });
  t.teardown(() => simulator.close());
  const redis = await redisServer(t);
  const asMounted = Object.entries(broker.environment ?? {}).map(([name, value]) => [
    name,
    withDefaults(value).replace(/^\/run\/secrets\//, `${folder}/secrets/`),
  ]);
  const env = {
    ...(Object.fromEntries(asMounted) as Record<string, string>),
    HOST: '0.0.0.0', // set by the image
    PORT: '0',
    MANAGEMENT_PORT: '0',
    CARTESIA_BASE_URL: simulator.url,
    CARTESIA_ALLOW_INSECURE: 'true',
    REDIS_URL: redis.url.reveal(), // Redis's name in the compose network does not resolve here
  };
  const loaded = await loadConfig(env);
  if (loaded.outcome === 'refused') throw new Error(loaded.problems.map(formatProblem).join('\n'));
  t.notMatch(
    loaded.warnings.map(formatProblem).join('\n'),
    /MINT_RATE_PER_IP/,
    'its users do not share the rate of one address',
  );
  const running = await startBroker(loaded.config, createLogger('silent'));
  t.teardown(() => running.stop({ delayMs: 0 }));
  await untilReady(running.managementUrl);

  const written: string[] = [];
  const io = { stdout: sink(written), stderr: sink(written) };
  const { port } = new URL(running.managementUrl);
  t.equal(await runHealthcheck([], { ...io, env: { ...env, MANAGEMENT_PORT: port } }), 0);
  t.strictSame(written, ['alive\n']);

  const { statusCode, body } = await request(`${running.url}/access-token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${appKey}`, 'x-broker-subject': 'user-42' },
    body: '{}',
  });
  t.equal(statusCode, 200);
  t.match(await body.json(), { delivery: 'direct', grants: { tts: true } });
});

test('the script keeps existing files, and does not show the API key', async (t) => {
  const { folder, output, appKey } = makeSecrets(t, 'sk_car_first');
  t.notMatch(output, /sk_car_first/);
  t.equal(readFileSync(path.join(folder, 'secrets/cartesia_api_key'), 'utf8'), 'sk_car_first\n');
  t.notMatch(readFileSync(path.join(folder, 'secrets/client_keys'), 'utf8'), appKey);
  t.equal(statSync(path.join(folder, 'secrets')).mode & 0o777, 0o700, 'the folder is private');
  t.strictSame(readdirSync(path.join(folder, 'secrets')), ['cartesia_api_key', 'client_keys']);
  for (const name of readdirSync(path.join(folder, 'secrets'))) {
    t.equal(statSync(path.join(folder, 'secrets', name)).mode & 0o777, 0o644, `${name} is readable in the container`);
  }
  const before = readFileSync(path.join(folder, 'secrets/client_keys'), 'utf8');
  t.equal(runScript(folder, { CARTESIA_API_KEY: 'sk_car_second' }), '');
  t.equal(readFileSync(path.join(folder, 'secrets/client_keys'), 'utf8'), before);
  t.equal(readFileSync(path.join(folder, 'secrets/cartesia_api_key'), 'utf8'), 'sk_car_first\n');
  t.throws(() => runScript(t.testdir({ deploy: {} }), {}), 'without a terminal and a key it exits with 1');
});

test('interrupting the question for the API key restores the echo of the terminal', async (t) => {
  const folder = t.testdir({});
  copyScript(folder);
  const terminal = spawn('script', ['-qec', 'trap : INT; sh deploy/make-secrets.sh; stty -a', '/dev/null'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  for await (const chunk of terminal.stdout.setEncoding('utf8')) {
    shown += String(chunk);
    if (/\(not shown\): $/.test(shown)) terminal.stdin.write('\u0003');
  }
  t.match(shown, /\secho\s/, 'typed text is shown again');
  t.strictSame(readdirSync(path.join(folder, 'secrets')), [], 'nothing is created');
});

/** Waits like compose's `--wait`. @throws if it is not ready within five seconds */
async function untilReady(managementUrl: string): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    const { statusCode, body } = await request(`${managementUrl}/readyz`);
    await body.dump();
    if (statusCode === 200) return;
    await delay(50);
  }
  throw new Error('not ready');
}

function sink(written: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      done();
    },
  });
}
