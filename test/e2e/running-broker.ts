// A broker as an operator would start it, in front of a simulated Cartesia, both on loopback and both real.
import type { Test } from 'tap';
import { type Broker, type BrokerSeams, startBroker } from '../../src/broker.ts';
import { formatProblem, loadConfig } from '../../src/config/load.ts';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../src/simulator/simulator.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

export interface RunningBroker {
  readonly broker: Broker;
  readonly simulator: Simulator;
  /** An app key of the client app `kiosk`. */
  readonly appKey: string;
  /** Log lines so far, parsed, at trace level. */
  readonly logs: Record<string, unknown>[];
  /** The log as text. */
  readonly logText: () => string;
}

export interface RunningBrokerOptions {
  /** Settings beside the usual ones; `undefined` takes one of those away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly simulator?: SimulatorOptions;
  readonly seams?: BrokerSeams;
}

/** Both end with the test. */
export async function startRunningBroker(t: Test, options: RunningBrokerOptions = {}): Promise<RunningBroker> {
  const simulator = await startSimulator({ tlsPort: null, ...options.simulator });
  t.teardown(() => simulator.close());
  const appKey = createAppKey();
  const env = {
    CARTESIA_API_KEY: simulator.apiKey,
    CARTESIA_BASE_URL: simulator.url,
    CARTESIA_ALLOW_INSECURE: 'true',
    CLIENT_KEYS: `kiosk=sha256:${appKeyDigest(appKey)}`,
    PORT: '0',
    MANAGEMENT_PORT: '0',
    MINT_RATE: 'off',
    MINT_RATE_PER_IP: 'off',
    ...options.env,
  };
  const loaded = await loadConfig(env);
  if (loaded.outcome === 'refused') throw new Error(loaded.problems.map(formatProblem).join('\n'));

  let text = '';
  const logs: Record<string, unknown>[] = [];
  const logger = createLogger('trace', {
    write(line: string) {
      text += line;
      logs.push(JSON.parse(line) as Record<string, unknown>);
    },
  });
  const broker = await startBroker(loaded.config, logger, options.seams);
  t.teardown(() => broker.stop({ delayMs: 0 }));
  return { broker, simulator, appKey, logs, logText: () => text };
}
