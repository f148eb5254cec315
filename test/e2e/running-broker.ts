// Starts a broker as an operator would, in front of a simulated Cartesia, both real and on loopback. Its secrets are canaries: when the
// test ends, everything it has logged, sent and counted is searched for them.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Broker, type BrokerSeams, startBroker } from '../../src/broker.ts';
import { formatProblem, loadConfig } from '../../src/config/load.ts';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { createCertificate } from '../../src/simulator/certificate.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { makeCanary } from '../canary/canary.ts';
import { captureAnswers } from '../canary/capture-answers.ts';
import { OutputWatch } from '../canary/output-watch.ts';

export interface RunningBroker {
  readonly broker: Broker;
  readonly simulator: Simulator;
  /** An app key of the client app `kiosk`. */
  readonly appKey: string;
  /** Log lines so far, parsed, at trace level. */
  readonly logs: Record<string, unknown>[];
  /** The log as text. */
  readonly logText: () => string;
  /** The broker's own certificate, PEM, and where it was read from; with `tls` only. */
  readonly certificate: { readonly pem: string; readonly certFile: string; readonly keyFile: string } | null;
  /** Knows the secrets; more may be added, and other output be recorded. */
  readonly watch: OutputWatch;
}

type Environment = Readonly<Record<string, string | undefined>>;

export interface RunningBrokerOptions {
  /** Settings besides the usual ones; `undefined` removes one of those. */
  readonly env?: Environment | ((simulator: Simulator) => Environment);
  readonly simulator?: SimulatorOptions;
  readonly seams?: BrokerSeams;
  /** Serve TLS with a certificate for localhost that is made for the test. */
  readonly tls?: boolean;
  /** The configuration file. If it describes client apps, they replace `kiosk`. @param digest of the app key: `sha256:…` */
  readonly file?: (digest: string) => Readonly<Record<string, unknown>>;
}

/** Both end with the test, which fails if any secret has leaked. */
export async function startRunningBroker(t: Test, options: RunningBrokerOptions = {}): Promise<RunningBroker> {
  const watch = new OutputWatch();
  t.teardown(() => watch.assertClean()); // registered first, so it runs last

  const upstreamKey = makeCanary('upstream key', 'sk_car_');
  watch.add(upstreamKey, 'sk_car_'.length);
  const simulator = await startSimulator({ tlsPort: null, apiKeys: [upstreamKey.value], ...options.simulator });
  t.teardown(() => simulator.close());
  const appKey = createAppKey();
  watch.add({ name: 'app key', value: appKey }, 'cb_'.length);
  const digest = `sha256:${appKeyDigest(appKey)}`;
  const directory = await mkdtemp(join(tmpdir(), 'broker-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const certificate = options.tls === true ? await writeCertificate(directory) : null;
  const file = options.file?.(digest) ?? {};
  await writeFile(join(directory, 'broker.json'), JSON.stringify(file));
  const env = {
    CARTESIA_API_KEY: simulator.apiKey,
    CARTESIA_BASE_URL: simulator.url,
    CARTESIA_ALLOW_INSECURE: 'true',
    BROKER_CONFIG: join(directory, 'broker.json'),
    ...('clients' in file ? {} : { CLIENT_KEYS: `kiosk=${digest}`, MINT_RATE: 'off' }),
    PORT: '0',
    MANAGEMENT_PORT: '0',
    MINT_RATE_PER_IP: 'off',
    ...(certificate === null ? {} : { TLS_CERT_FILE: certificate.certFile, TLS_KEY_FILE: certificate.keyFile }),
    ...(typeof options.env === 'function' ? options.env(simulator) : options.env),
  };
  const loaded = await loadConfig(env);
  if (loaded.outcome === 'refused') throw new Error(loaded.problems.map(formatProblem).join('\n'));

  let text = '';
  const logs: Record<string, unknown>[] = [];
  const logger = createLogger('trace', {
    write(line: string) {
      text += line;
      watch.record('log', line);
      logs.push(JSON.parse(line) as Record<string, unknown>);
    },
  });
  const ports = new Set<number>();
  const endCapture = captureAnswers(ports, (bytes) => watch.recordAnswer('answers', bytes));
  t.teardown(endCapture);
  const broker = await startBroker(loaded.config, logger, options.seams);
  for (const url of [broker.url, broker.managementUrl]) ports.add(Number(new URL(url).port));
  t.teardown(async () => {
    watch.record('metrics', await broker.metrics.registry.metrics());
    await broker.stop({ delayMs: 0, idleGraceMs: 5 }); // no more requests will come
  });
  logs.length = 0; // what it logs during startup stays in `logText`
  return { broker, simulator, appKey, logs, logText: () => text, certificate, watch };
}

async function writeCertificate(directory: string): Promise<NonNullable<RunningBroker['certificate']>> {
  const { cert, key } = createCertificate(Date.now());
  const certFile = join(directory, 'tls.crt');
  const keyFile = join(directory, 'tls.key');
  await Promise.all([writeFile(certFile, cert), writeFile(keyFile, key)]);
  return { pem: cert, certFile, keyFile };
}
