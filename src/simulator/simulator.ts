// Starts an offline Cartesia with real sockets and real audio, which needs no network and no API key.

import { createServer } from 'node:http';
import { isIPv6 } from 'node:net';
import { createCertificate, type TlsIdentity } from './certificate.ts';
import { startControlServer } from './control/control-server.ts';
import { type Controlled, controlledBy } from './controlled.ts';
import { FrontDoor } from './front-door.ts';
import { createRequestHandler } from './http/router.ts';
import { ROUTES } from './http/routes.ts';
import { defaultSettings, type Plan } from './settings.ts';
import { configure, type SettingsPatch } from './settings-patch.ts';
import { asksForWebSocket, attachSockets } from './sockets/attach-sockets.ts';
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
  /** Any other settings. */
  readonly settings?: SettingsPatch;
}

export interface Simulator extends Controlled {
  /** `http://127.0.0.1:PORT`, or '' without a plain listener. */
  readonly url: string;
  /** `https://localhost:PORT`, or '' without a TLS listener. */
  readonly tlsUrl: string;
  /** PEM to trust: valid for `localhost`, `127.0.0.1` and `::1` unless `tls` was given. */
  readonly certificate: string;
  readonly controlUrl: string | null;
  /** The first key it accepts. */
  readonly apiKey: string;
  /** Closes everything at once, open sockets included. */
  close(): Promise<void>;
}

/** Starts a simulator. Several in one process are independent of each other. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { host = '127.0.0.1', port = 0, tlsPort = 0, controlPort = null, now = Date.now } = options;
  const authority = isIPv6(host) ? `[${host}]` : host;
  const settings = defaultSettings(options.plan);
  if (options.apiKeys !== undefined) settings.apiKeys = [...options.apiKeys];
  configure(settings, options.settings ?? {});
  const world = createWorld(settings, now);
  const identity = options.tls ?? createCertificate(Date.now());
  const door = new FrontDoor(world, createHttpServer(world));
  const controlled = controlledBy(world, door);
  try {
    const plain = port === null ? null : await door.listen(host, port);
    const secure = tlsPort === null ? null : await door.listen(host, tlsPort, identity);
    const control = controlPort === null ? null : await startControlServer(controlled, { host, port: controlPort });
    return {
      ...controlled,
      url: plain === null ? '' : `http://${authority}:${plain}`,
      tlsUrl: secure === null ? '' : `https://${host === '127.0.0.1' ? 'localhost' : authority}:${secure}`,
      certificate: identity.cert,
      controlUrl: control && `http://${authority}:${control.port}`,
      apiKey: settings.apiKeys[0] ?? '',
      close: async () => {
        world.clock.stop();
        await Promise.all([door.close(), control?.close()]);
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
      // Real load balancers keep idle connections for about a minute. Node's five seconds would race with clients' pools.
      keepAliveTimeout: 60_000,
      maxHeaderSize: 64 * 1024,
      requestTimeout: 0,
      // An offer of any other protocol, such as h2c from Java's and curl's clients, is ignored. The oldest supported Node versions do
      // not know this option; there such requests get 404.
      shouldUpgradeCallback: asksForWebSocket,
    },
    createRequestHandler(world, ROUTES),
  );
  attachSockets(server, world);
  return server;
}
