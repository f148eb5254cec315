// The configuration as the rest of the program sees it: checked, complete, camelCase, with units in the names.
import type { Budget, QuotaUnit } from './budget.ts';
import type { Grant } from './grant.ts';
import type { Secret } from './secret.ts';

export type Delivery = 'direct' | 'proxied';
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

/** Named by the last key of its setting. */
export type RenewableSecret = 'api_key' | 'admin_token' | 'signing_secret' | 'redis_url';

/** A file that a secret came from. */
export interface SecretFile {
  readonly secret: RenewableSecret;
  /** What the operator calls it: `CARTESIA_API_KEY_FILE`, `upstream.api_key_file`. */
  readonly setting: string;
  /** Absolute. */
  readonly path: string;
}

/** `30/minute` -> { max: 30, windowMs: 60000 }. `null` wherever a rate may be `off`. */
export interface Rate {
  readonly max: number;
  readonly windowMs: number;
}

/** Paths of PEM files: a certificate, followed by its intermediate certificates, and its private key. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface RedisTlsFiles {
  /** PEM file with authorities to trust in addition to Node's. */
  readonly caFile: string | null;
  /** Our client certificate, if Redis asks for one. */
  readonly certificate: CertificateFiles | null;
}

export interface Config {
  readonly listen: {
    readonly host: string;
    readonly port: number;
    /** Origin (and path) under which callers reach the broker; `null` = from the listener. */
    readonly publicUrl: string | null;
    readonly tls: CertificateFiles | null;
    /** CIDRs or addresses of peers whose `X-Forwarded-*` count. */
    readonly trustProxy: readonly string[];
    readonly requireHttps: boolean;
    /** After SIGTERM: how long to go on serving while not ready. */
    readonly drainDelayMs: number;
    /** After the drain delay: how long open requests may still take. */
    readonly drainDeadlineMs: number;
  };
  readonly management: {
    readonly host: string;
    readonly port: number;
    /** `null` = there is neither an admin API nor a console. */
    readonly adminToken: Secret | null;
  };
  readonly upstream: {
    /** Key ring: all are used in turn. Empty only if the command needs none. */
    readonly apiKeys: readonly Secret[];
    readonly baseUrl: string;
    readonly version: string;
    readonly versionPolicy: 'fill' | 'pin';
    /** Total time for one mint, retry included. */
    readonly deadlineMs: number;
    /** Most connections to upstream for minting. */
    readonly connections: number;
    /** PEM file with additional certificate authorities for upstream (a TLS-inspecting egress, a test). */
    readonly caFile: string | null;
    /** The HTTP client that carries traffic to Cartesia. */
    readonly transport: 'undici' | 'native';
    readonly concurrency: { readonly tts: number | null; readonly stt: number | null; readonly agent: number | null };
  };
  readonly tokens: {
    /** The first signs, all verify. */
    readonly signingSecrets: readonly Secret[];
    /** Give a subject its direct token again while it is fresh, instead of minting a new one. */
    readonly reuse: boolean;
  };
  readonly limits: {
    readonly mintPerAddress: Rate | null;
    /** Waiting for a lease. */
    readonly queue: { readonly waitMs: number; readonly contextWaitMs: number; readonly length: number };
    /** Budgets of all client apps together. */
    readonly quota: { readonly [unit in QuotaUnit]: Budget | null };
  };
  readonly store: {
    readonly redisUrl: Secret | null;
    /** Only with a `rediss://` URL. */
    readonly redisTls: RedisTlsFiles | null;
    readonly prefix: string;
  };
  /** Prices in one currency; `null` = not known. */
  readonly usage: {
    readonly prices: {
      /** Per million. */
      readonly characters: number | null;
      /** Per hour. */
      readonly audioSeconds: number | null;
      /** Per hour. */
      readonly callSeconds: number | null;
    };
  };
  readonly log: { readonly level: LogLevel };
  readonly sockets: { readonly browserRefusals: 'status' | 'event' };
  /** Whether Cartesia's own paths are served. */
  readonly proxy: boolean;
  readonly clients: readonly ClientConfig[];
  /** Files of the secrets that are renewed while the service runs. */
  readonly secretFiles: readonly SecretFile[];
}

/** One client app: who may call in its name, and what its subjects may do. */
export interface ClientConfig {
  readonly name: string;
  /** Whether it may name its subject in `X-Broker-Subject`. */
  readonly trusted: boolean;
  readonly auth: {
    /** Lower-case hex SHA-256 of whole app keys. */
    readonly keys: readonly string[];
    readonly jwt: readonly JwtConfig[];
    readonly anonymous: boolean;
    /** Also accept app keys and users' JWTs from a query string. */
    readonly queryCredentials: boolean;
  };
  readonly grants: readonly Grant[];
  /** What is granted if no grants are asked for; a subset of `grants`. */
  readonly defaultGrants: readonly Grant[];
  readonly ttl: { readonly defaultSeconds: number; readonly maxSeconds: number };
  readonly delivery: Delivery;
  /** Exact browser origins. Empty = no browser page may call. */
  readonly origins: readonly string[];
  /** For traffic that the broker carries. `null` restricts nothing. */
  readonly content: {
    readonly models: readonly string[] | null;
    readonly voices: readonly string[] | null;
    readonly languages: readonly string[] | null;
    readonly formats: readonly string[] | null;
    /** Characters (Unicode code points). */
    readonly maxTranscript: number | null;
    readonly agents: readonly string[] | null;
    /** What a client may set in an agent's first message. */
    readonly agentOverrides: readonly string[];
  };
  /** WebSockets that the broker carries. */
  readonly sockets: {
    readonly maxDurationMs: number;
    readonly endWithToken: boolean;
    /** `null` = a little less than upstream's own limit. */
    readonly idleMs: number | null;
    readonly maxContexts: number;
    /** Total characters of one socket's transcripts. */
    readonly maxCharacters: number | null;
  };
  /** Whether Cartesia's catalogue (voices, accents), which no grant covers, is offered. */
  readonly reads: boolean;
  readonly limits: { readonly mint: Rate | null; readonly concurrency: ConcurrencyConfig; readonly quota: QuotaConfig };
}

/** A client app's budgets. */
export type QuotaConfig = {
  readonly [unit in QuotaUnit]: { readonly subject: Budget | null; readonly client: Budget | null };
};

/** A client app's share of what the account may run at a time. */
export interface ConcurrencyConfig {
  readonly reserved: number;
  readonly max: number | null;
  readonly perSubject: number | null;
  /** Above 0; includes the priority. */
  readonly weight: number;
}

export interface JwtConfig {
  readonly issuer: string;
  readonly audience: readonly string[];
  /** `null` = found by OIDC discovery at `issuer`. */
  readonly jwksUrl: string | null;
  /** Asymmetric algorithms only. */
  readonly algorithms: readonly string[];
  readonly subjectClaim: string;
  /** Clock tolerance, at most 60. */
  readonly toleranceSeconds: number;
  /** Claims that must be there with one of these values. */
  readonly require: Readonly<Record<string, readonly string[]>>;
  /** Grants from a claim such as `scope` (space separated or an array) by a map from its values. */
  readonly grantsFrom: { readonly claim: string; readonly map: Readonly<Record<string, readonly Grant[]>> } | null;
}
