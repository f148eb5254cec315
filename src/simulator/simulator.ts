// An offline Cartesia: real sockets, real audio, no network, no key.

import { createServer } from 'node:http';
import { createCertificate, type TlsIdentity } from './certificate.ts';
import type { Clock } from './clock.ts';
import type { SlotCounters, SlotKind } from './concurrency.ts';
import type { Faults } from './faults.ts';
import { FrontDoor } from './front-door.ts';
import { createRequestHandler } from './http/router.ts';
import { ROUTES } from './http/routes.ts';
import type { Journal } from './journal.ts';
import { configure, defaultSettings, type Plan, type Settings, type SettingsPatch } from './settings.ts';
import { attachSockets } from './sockets/attach-sockets.ts';
import { createWorld, type World } from './world.ts';

export interface SimulatorOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Plain HTTP; default 0 = any free port, null = no such listener. */
  readonly port?: number | null;
  /** TLS; default 0, null = no such listener. */
  readonly tlsPort?: number | null;
  /** The HTTP API for settings, faults, clock and journal; default null = none. */
  readonly controlPort?: number | null;
  /** Default `startup`: 5 generations and 20 streams at once. */
  readonly plan?: Plan;
  /** Default `['sk_car_simulated']`. */
  readonly apiKeys?: readonly string[];
  /** PEM; default: a certificate made at start. */
  readonly tls?: TlsIdentity;
  /** Epoch milliseconds; default the machine's clock. */
  readonly now?: () => number;
  /** Everything else there is to set. */
  readonly settings?: SettingsPatch;
}

export interface Simulator {
  /** `http://127.0.0.1:PORT`, or '' without a plain listener. */
  readonly url: string;
  /** `https://localhost:PORT`, or '' without a TLS listener. */
  readonly tlsUrl: string;
  /** PEM to trust: valid for `localhost`, `127.0.0.1` and `::1` unless `tls` was given. */
  readonly certificate: string;
  readonly controlUrl: string | null;
  /** The first key it accepts. */
  readonly apiKey: string;
  readonly journal: Journal;
  readonly faults: Faults;
  /** Mutable at run time. */
  readonly settings: Settings;
  readonly clock: Clock;
  /** Changes several settings at once, by plan or by name. @throws SettingsError */
  configure(patch: SettingsPatch): void;
  /** A token as `POST /access-token` would give, without asking. */
  mintToken(wish?: {
    readonly grants?: Partial<Settings['tokens']['grantsWhenOmitted']>;
    readonly seconds?: number;
  }): string;
  counters(): SimulatorCounters;
  /** Closes everything at once, open sockets included. */
  close(): Promise<void>;
}

/** What was used since the start or the last `resetCounters` of the control API. */
export interface SimulatorCounters extends Readonly<Record<SlotKind, SlotCounters>> {
  readonly creditsSpent: number;
  readonly openConnections: number;
}

/** Starts one. Several in one process do not know of each other. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, tlsPort = 0, now = Date.now } = options;
  const settings = defaultSettings(options.plan);
  if (options.apiKeys !== undefined) settings.apiKeys = [...options.apiKeys];
  configure(settings, options.settings ?? {});
  const world = createWorld(settings, now);
  const identity = options.tls ?? createCertificate(Date.now());
  const door = new FrontDoor(world, createHttpServer(world));
  try {
    const plain = port === null ? null : await door.listen(host, port);
    const secure = tlsPort === null ? null : await door.listen(host, tlsPort, identity);
    return {
      url: plain === null ? '' : `http://${host}:${plain}`,
      tlsUrl: secure === null ? '' : `https://${host === '127.0.0.1' ? 'localhost' : host}:${secure}`,
      certificate: identity.cert,
      controlUrl: null,
      apiKey: settings.apiKeys[0] ?? '',
      journal: world.journal,
      faults: world.faults,
      settings,
      clock: world.clock,
      configure: (patch) => configure(settings, patch),
      mintToken: ({ grants = { tts: true, stt: true, agent: true }, seconds = 300 } = {}) =>
        world.tokens.sign({ grants, seconds, nowMs: world.clock.now() }),
      counters: () => countersOf(world, door),
      close: async () => {
        world.clock.stop();
        await door.close();
      },
    };
  } catch (error) {
    await door.close();
    throw error;
  }
}

function createHttpServer(world: World) {
  const server = createServer(
    {
      // Real load balancers keep idle connections about a minute. Node's five seconds would race with clients' pools.
      keepAliveTimeout: 60_000,
      maxHeaderSize: 64 * 1024,
      requestTimeout: 0,
    },
    createRequestHandler(world, ROUTES),
  );
  attachSockets(server, world);
  return server;
}

function countersOf(world: World, door: FrontDoor): SimulatorCounters {
  return {
    ...world.concurrency.counters(),
    creditsSpent: world.credits.spent,
    openConnections: door.openConnections,
  };
}
