// What every part of the broker is made with.
import type { Config } from '../config/config.ts';
import type { Readiness } from '../listener/readiness.ts';
import type { ServerTimeouts } from '../listener/server.ts';
import type { CarrierClocks } from '../proxy/carrier.ts';
import type { RelaysOptions } from '../proxy/websocket/relays.ts';
import type { SessionGuards } from '../proxy/websocket/session-guard.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Closing } from './closing.ts';
import type { WatchedFiles } from './watched-files.ts';

/** What a test may replace; each has its production default. */
export interface BrokerSeams {
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly timeouts?: Partial<ServerTimeouts>;
  readonly relays?: RelaysOptions;
  /** Milliseconds allowed for a WebSocket handshake with upstream. */
  readonly socketHandshakeMs?: number;
  readonly guards?: SessionGuards;
  /** Milliseconds between two checks of the certificate files. */
  readonly certificateCheckMs?: number;
  /** Milliseconds between two checks of the secret files. */
  readonly secretsCheckMs?: number;
  /** The value of NODE_OPTIONS, which may contain a heap limit. */
  readonly nodeOptions?: string;
  /** Shorter deadlines for carried requests. */
  readonly carrying?: CarrierClocks;
}

export interface Basics {
  readonly config: Config;
  readonly seams: BrokerSeams;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly files: WatchedFiles;
  /** Whoever opens something registers here at once how it is closed. */
  readonly closing: Closing;
}
