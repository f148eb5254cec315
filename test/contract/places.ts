// Where the contract is checked: at the simulator, and at a broker in front of it. With LIVE=1 also at Cartesia itself and at a broker in
// front of that, with the key in CARTESIA_API_KEY; that costs credits for some thousand characters and a minute of audio.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { startBroker } from '../../src/broker.ts';
import type { Delivery } from '../../src/config/config.ts';
import { formatProblem, loadConfig } from '../../src/config/load.ts';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { mintProxied } from '../e2e/carried-broker.ts';

/** Something that speaks Cartesia's API. */
export interface Place {
  /** Without a slash at its end. */
  readonly url: string;
  /** An API key at Cartesia, a proxied access token at a broker. */
  readonly credential: string;
  /** Errors have one shape at a broker, and that of the version at Cartesia. */
  readonly isBroker: boolean;
}

/** An upstream and its API key. */
export interface Upstream {
  readonly url: string;
  readonly apiKey: string;
}

const UPSTREAMS: readonly { readonly name: string; readonly start: (t: Test) => Promise<Upstream> }[] = [
  {
    name: 'the simulator',
    async start(t) {
      const simulator = await startSimulator({ tlsPort: null, plan: 'scale' });
      t.teardown(() => simulator.close());
      return { url: simulator.url, apiKey: simulator.apiKey };
    },
  },
  ...(process.env['LIVE'] === '1' ? [{ name: 'Cartesia', start: async () => live() }] : []),
];

function live(): Upstream {
  const apiKey = process.env['CARTESIA_API_KEY'];
  if (apiKey === undefined || apiKey === '') throw new Error('LIVE=1 needs CARTESIA_API_KEY');
  return { url: process.env['CARTESIA_BASE_URL'] ?? 'https://api.cartesia.ai', apiKey };
}

/** A test for every upstream. */
export function atUpstreams(title: string, check: (t: Test, upstream: Upstream) => Promise<void>): void {
  for (const { name, start } of UPSTREAMS) test(`${name}: ${title}`, async (t) => check(t, await start(t)));
}

/** A test for every upstream, and for a broker in front of it. */
export function everywhere(title: string, check: (t: Test, place: Place) => Promise<void>): void {
  atUpstreams(title, (t, { url, apiKey }) => check(t, { url, credential: apiKey, isBroker: false }));
  for (const { name, start } of UPSTREAMS)
    test(`a broker in front of ${name}: ${title}`, async (t) => {
      const { url, appKey } = await brokerFor(t, await start(t), 'proxied');
      await check(t, { url, credential: await mintProxied(url, appKey), isBroker: true });
    });
}

/** A broker whose client app `kiosk` may speak, listen and read. */
export async function brokerFor(
  t: Test,
  { url, apiKey }: Upstream,
  delivery: Delivery,
): Promise<{ readonly url: string; readonly appKey: string }> {
  const appKey = createAppKey();
  const directory = await mkdtemp(join(tmpdir(), 'contract-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const kiosk = { auth: { keys: [`sha256:${appKeyDigest(appKey)}`] }, grants: ['tts', 'stt'], reads: true, delivery };
  await writeFile(join(directory, 'broker.json'), JSON.stringify({ clients: { kiosk } }));
  const loaded = await loadConfig({
    BROKER_CONFIG: join(directory, 'broker.json'),
    CARTESIA_API_KEY: apiKey,
    CARTESIA_BASE_URL: url,
    CARTESIA_ALLOW_INSECURE: String(url.startsWith('http:')),
    TOKEN_SIGNING_SECRET: randomBytes(32).toString('base64url'),
    PORT: '0',
    MANAGEMENT_PORT: '0',
  });
  if (loaded.outcome === 'refused') throw new Error(loaded.problems.map(formatProblem).join('\n'));
  const broker = await startBroker(loaded.config, createLogger('silent'));
  t.teardown(() => broker.stop({ delayMs: 0 }));
  return { url: broker.url, appKey };
}
