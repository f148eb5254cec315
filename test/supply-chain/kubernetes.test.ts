// The manifests in deploy/kubernetes as a new operator uses them: valid for Kubernetes, and working with the real broker.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { Container, EnvVar, Probe } from 'kubernetes-types/core/v1.js';
import { test } from 'tap';
import { request } from 'undici';
import { parseAllDocuments } from 'yaml';
import { startBroker } from '../../src/broker.ts';
import { formatProblem, loadConfig } from '../../src/config/load.ts';
import { SETTING_BY_VARIABLE } from '../../src/config/setting-index.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { configOf, LEAST } from '../config/loading.ts';
import { until } from '../e2e/limits-answers.ts';
import { ROOT } from '../source-imports.ts';
import { redisServer } from '../store/redis-server.ts';
import { makeSecrets } from './make-secrets.ts';

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
}

const FOLDER = path.join(ROOT, 'deploy/kubernetes');
const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { readonly version: string };
const MOUNT = '/run/secrets/broker/';
const manifests = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(path.join(FOLDER, name), 'utf8')]));
const objects = new Map([...manifests].map(([name, text]) => [name, objectsIn(text)]));

/** The module of kubernetes-types with this kind; in `apiVersion` the group `core` has no name. */
function moduleOf({ apiVersion }: KubernetesObject): string {
  const [group = '', version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion];
  return `kubernetes-types/${group.replace(/\..*$/, '')}/${version}.js`;
}

function objectsIn(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as KubernetesObject;
  });
}

function brokerIn(name: string): { readonly deployment: Deployment; readonly container: Container } {
  const deployment = objects.get(name)?.find(({ kind }) => kind === 'Deployment') as Deployment | undefined;
  const pod = deployment?.spec?.template.spec;
  const container = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])].find(
    (one) => one.name === 'cartesia-broker',
  );
  if (deployment === undefined || container === undefined) throw new Error(`no broker in ${name}`);
  return { deployment, container };
}

test('every field is known to Kubernetes and has a valid value', async (t) => {
  const sources = [...objects].flatMap(([name, ones]) =>
    ones.map((one, at) => ({
      file: `${name}-${at}.ts`,
      text: `import type { ${one.kind} } from '${moduleOf(one)}';\nexport const it: ${one.kind} = ${JSON.stringify(one, null, 2)};\n`,
    })),
  );
  t.ok(sources.length >= 5);
  const directory = t.testdir(Object.fromEntries(sources.map(({ file, text }) => [file, text])));
  const check = async (files: readonly string[]): Promise<string> => {
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--ignoreConfig'];
    const tsc = path.join(ROOT, 'node_modules/typescript/lib/tsc.js');
    const paths = files.map((file) => path.join(directory, file));
    return promisify(execFile)(process.execPath, [tsc, ...options, ...paths]).then(
      () => '',
      (error: { readonly stdout: string; readonly stderr: string }) => error.stdout + error.stderr,
    );
  };
  t.equal(await check(sources.map(({ file }) => file)), '');
  const [control] = sources;
  if (control === undefined) throw new Error('none');
  writeFileSync(path.join(directory, 'control.ts'), control.text.replace('"readinessProbe"', '"readynessProbe"'));
  t.match(await check(['control.ts']), /readynessProbe/, 'control: an unknown field');
});

for (const name of manifests.keys()) {
  const { deployment, container } = brokerIn(name);
  const pod = deployment.spec?.template.spec;
  const env = container.env ?? [];
  const text = manifests.get(name) ?? '';

  test(`${name}: every variable is a setting, and secrets are files of the volume`, async (t) => {
    const mentioned = [
      ...env.map((one) => one.name),
      ...[...text.matchAll(/# - \{ name: (\w+),/g)].map(([, one]) => one ?? ''),
    ];
    for (const one of mentioned.filter((known) => known !== 'NODE_OPTIONS')) {
      const setting = SETTING_BY_VARIABLE.get(one) ?? SETTING_BY_VARIABLE.get(one.replace(/_FILE$/, ''));
      t.ok(setting, one);
      if (one.endsWith('_FILE') && !SETTING_BY_VARIABLE.has(one)) t.ok(setting?.isSecret, `${one} can be a file`);
      t.notOk(SETTING_BY_VARIABLE.get(one)?.isSecret === true, `${one} is not a secret in plain text`);
    }
    const [mount] = container.volumeMounts ?? [];
    t.match(mount, { mountPath: MOUNT.slice(0, -1), readOnly: true });
    t.equal(mount?.subPath, undefined, 'so that renewed files appear in the mount');
    const volume = pod?.volumes?.find((one) => one.name === mount?.name);
    t.match(text, new RegExp(`create secret generic ${volume?.secret?.secretName} --from-file=secrets/`));
    for (const { value = '' } of env.filter((one) => one.name.endsWith('_FILE'))) t.ok(value.startsWith(MOUNT), value);
  });

  test(`${name}: the broker has few privileges and limited resources, and enough time to drain`, async (t) => {
    const [, user] = /^USER (\d+):/m.exec(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8')) ?? [];
    t.match(container.securityContext, {
      runAsNonRoot: true,
      runAsUser: Number(user),
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    const { drainDelayMs, drainDeadlineMs } = (await configOf(LEAST)).listen;
    t.ok(Number(pod?.terminationGracePeriodSeconds) * 1000 > drainDelayMs + drainDeadlineMs + 2000);
    const mebibytes = Number(/^(\d+)Mi$/.exec(container.resources?.limits?.['memory'] ?? '')?.[1]);
    t.equal(valueIn(env, 'NODE_OPTIONS'), `--max-old-space-size=${mebibytes / 2}`);
    t.match(container.image, new RegExp(`:${version}$`));
  });

  test(`${name}: started with these variables, the broker passes its probes and mints`, async (t) => {
    const { folder, appKey } = makeSecrets(t, 'sk_car_simulated');
    const simulator = await startSimulator({ tlsPort: null });
    t.teardown(() => simulator.close());
    const redis = await redisServer(t);
    writeFileSync(path.join(folder, 'secrets/redis_url'), redis.url.reveal());
    writeFileSync(path.join(folder, 'secrets/token_signing_secret'), 'f'.repeat(64));
    const loaded = await loadConfig({
      HOST: '0.0.0.0', // set by the image
      ...Object.fromEntries(env.map((one) => [one.name, (one.value ?? '').replace(MOUNT, `${folder}/secrets/`)])),
      ...(valueIn(env, 'TRUST_PROXY') === undefined ? {} : { TRUST_PROXY: '127.0.0.1' }), // the test is the ingress
      PORT: '0',
      MANAGEMENT_PORT: '0',
      CARTESIA_BASE_URL: simulator.url,
      CARTESIA_ALLOW_INSECURE: 'true',
    });
    if (loaded.outcome === 'refused') throw new Error(loaded.problems.map(formatProblem).join('\n'));
    // The network policy, ours or the operator's, restricts access: probes and Prometheus come from outside the pod.
    t.match(loaded.warnings.map(formatProblem), [/^MANAGEMENT_HOST: the management listener is reachable beyond/]);
    t.equal(loaded.warnings.length, 1);
    const broker = await startBroker(loaded.config, createLogger('silent'));
    t.teardown(() => broker.stop({ delayMs: 0 }));

    const ports = new Map(container.ports?.map((port) => [port.name, port.containerPort]));
    t.equal(ports.get('management'), (await configOf(LEAST)).management.port);
    for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe])
      await until(async () => (await statusOf(probe, broker.managementUrl)) === 200);

    const { statusCode, body } = await request(`${broker.url}/access-token`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${appKey}`,
        ...(valueIn(env, 'REQUIRE_HTTPS') === 'true' ? { 'x-forwarded-proto': 'https' } : {}),
      },
      body: '{}',
    });
    t.match(await body.json(), { delivery: valueIn(env, 'DELIVERY') ?? 'direct', grants: { tts: true } });
    t.equal(statusCode, 200);
  });
}

function valueIn(env: readonly EnvVar[], name: string): string | undefined {
  return env.find((one) => one.name === name)?.value;
}

async function statusOf(probe: Probe | undefined, managementUrl: string): Promise<number> {
  if (probe?.httpGet?.port !== 'management') throw new Error('a probe asks the management listener');
  const { statusCode, body } = await request(`${managementUrl}${probe.httpGet.path}`);
  await body.dump();
  return statusCode;
}
