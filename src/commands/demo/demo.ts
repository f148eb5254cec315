// The round trip that a new user sees first: a simulated Cartesia, a broker in front of it, one token from each of two ways to mint,
// a spoken sentence.
import { Cartesia } from '@cartesia/cartesia-js';
import { request } from 'undici';
import { type Broker, startBroker } from '../../broker.ts';
import { formatProblem, loadConfig } from '../../config/load.ts';
import { appKeyDigest, createAppKey } from '../../identity/app-key.ts';
import { type Simulator, startSimulator } from '../../simulator/simulator.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { type DemoIssuer, startDemoIssuer } from './issuer.ts';
import { type WavFile, writeWav } from './wav-file.ts';

export const SENTENCE =
  'Hello! Your app speaks with a token that lives for five minutes, and your API key never left the broker.';

const AUDIENCE = 'demo-app';
const USER = 'user-42';
const VOICE = '6ccbfb76-1fc6-48f7-b71d-91ac6298247b';

/** The running servers, and the results of the round trip. */
export interface Demo {
  readonly simulator: Simulator;
  readonly broker: Broker;
  readonly appKey: string;
  /** Minted with the user's session token through the official SDK. */
  readonly userToken: { readonly lifetimeSeconds: number };
  /** Minted with the app key over plain HTTP. */
  readonly keyToken: { readonly lifetimeSeconds: number };
  readonly wav: WavFile;
  close(): Promise<void>;
}

export interface DemoOptions {
  /** Tried first; if either port is taken, both are any free port. */
  readonly port: number;
  readonly managementPort: number;
}

/** Rejects if any step fails, after stopping what was started. */
export async function startDemo({ port, managementPort }: DemoOptions): Promise<Demo> {
  const started: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const part of started.splice(0).reverse()) await part.close();
  };
  try {
    const simulator = await startSimulator({ tlsPort: null });
    started.push(simulator);
    const issuer = await startDemoIssuer();
    started.push(issuer);
    const appKey = createAppKey();
    const broker = await startDemoBroker({ simulator, issuer, appKey, port, managementPort });
    started.push({ close: () => broker.stop({ delayMs: 0 }) });

    const keyToken = await mintOverHttp(broker.url, appKey);
    const userToken = await mintWithSdk(broker.url, issuer.sessionToken(USER, AUDIENCE));
    const audio = await speak(simulator.url, userToken.token);
    const wav = await writeWav(audio, 'demo.wav');
    return {
      simulator,
      broker,
      appKey,
      userToken: { lifetimeSeconds: userToken.lifetimeSeconds },
      keyToken: { lifetimeSeconds: keyToken.lifetimeSeconds },
      wav,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface DemoBrokerOptions extends DemoOptions {
  readonly simulator: Simulator;
  readonly issuer: DemoIssuer;
  readonly appKey: string;
}

/** The settings a new user would write into the environment, and nothing else. */
async function startDemoBroker(options: DemoBrokerOptions): Promise<Broker> {
  const settings = {
    CARTESIA_API_KEY: options.simulator.apiKey,
    CARTESIA_BASE_URL: options.simulator.url,
    CARTESIA_ALLOW_INSECURE: 'true', // the simulator is on this machine
    CLIENT_KEYS: `kiosk=sha256:${appKeyDigest(options.appKey)}`,
    JWT_ISSUER: options.issuer.url,
    JWT_AUDIENCE: AUDIENCE,
  };
  const logger = createLogger('silent');
  const start = async (PORT: number, MANAGEMENT_PORT: number): Promise<Broker> => {
    const loaded = await loadConfig({ ...settings, PORT: String(PORT), MANAGEMENT_PORT: String(MANAGEMENT_PORT) });
    if (loaded.outcome === 'refused') throw new Error(loaded.problems.map(formatProblem).join('; '));
    return startBroker(loaded.config, logger);
  };
  try {
    return await start(options.port, options.managementPort);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    return start(0, 0);
  }
}

/** What the printed curl line does. */
async function mintOverHttp(brokerUrl: string, appKey: string): Promise<{ token: string; lifetimeSeconds: number }> {
  const { statusCode, body } = await request(`${brokerUrl}/access-token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${appKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ grants: { tts: true } }),
  });
  const answer = (await body.json()) as { token: string; expires_in: number }; // the broker's own answer
  if (statusCode !== 200) throw new Error(`the broker answered ${statusCode} to an app key`);
  return { token: answer.token, lifetimeSeconds: answer.expires_in };
}

/** What an app that already uses Cartesia's SDK does: only the base URL and the credential differ. */
async function mintWithSdk(
  brokerUrl: string,
  sessionToken: string,
): Promise<{ token: string; lifetimeSeconds: number }> {
  const lifetimeSeconds = 300;
  const broker = new Cartesia({ apiKey: sessionToken, baseURL: brokerUrl });
  const { token } = await broker.accessToken.create({ grants: { tts: true }, expires_in: lifetimeSeconds });
  return { token, lifetimeSeconds };
}

async function speak(cartesiaUrl: string, token: string): Promise<Uint8Array> {
  const cartesia = new Cartesia({ token, baseURL: cartesiaUrl });
  const response = await cartesia.tts.generate({
    model_id: 'sonic-3',
    transcript: SENTENCE,
    voice: { id: VOICE },
    output_format: { container: 'wav', encoding: 'pcm_s16le', sample_rate: 44_100 },
  });
  return new Uint8Array(await response.arrayBuffer());
}
