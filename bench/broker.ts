// The broker under test: the image's build, started as the image starts it, with everything enabled that a user enables.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Algorithm, AUDIENCE, type Callers, ISSUER } from './callers.ts';
import type { Certificate } from './certificate.ts';
import { BUILD, ROOT, SCRATCH } from './places.ts';
import type { Launch } from './processes.ts';

export interface BrokerSettings {
  /** Directory of a build. */
  readonly dist: string;
  readonly port: number;
  readonly upstreamUrl: string;
  readonly callers: Callers;
  readonly delivery: 'direct' | 'proxied';
  /** How carried requests reach upstream: `upstream.transport`. */
  readonly transport?: 'undici' | 'native';
  /** Every carried request takes a lease and books on three budgets, none of which ever runs out. */
  readonly isLimited?: boolean;
  readonly certificate: Certificate | null;
  /** Port of the listener with the metrics; default: any free port. */
  readonly managementPort?: number;
}

/** Shared, so that the brokers of one run accept each other's access tokens. */
const SIGNING_SECRET = randomBytes(32).toString('base64url');
/** The key that the simulator accepts. */
const API_KEY = 'sk_car_simulated';
const ORIGIN = 'https://app.example.com';
const ALGORITHMS: readonly Algorithm[] = ['ES256', 'RS256'];
/** Long enough for access tokens to outlive a run. */
const LIFE_SECONDS = 3_600;
/** Limits that are counted and never reached. */
const RATE = '999999999/minute';
const BUDGET = '999999999999/month';
const CONCURRENCY = 1_000;
const CLIENT_LIMITS = {
  concurrency: { reserved: 1, max: CONCURRENCY, per_subject: CONCURRENCY },
  quota: { characters: { subject: BUDGET, client: BUDGET } },
};

/** Builds `dist/` if it is older than the sources. */
export function buildBroker(): string {
  execFileSync(process.execPath, ['scripts/build.ts', '--if-stale'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return path.join(ROOT, 'dist');
}

/** Fills V8's compile cache for a build, as the Dockerfile does. @returns its directory */
export function warmCompileCache(): string {
  const directory = path.join(BUILD, 'compile-cache');
  execFileSync(process.execPath, ['scripts/warm-up.ts', directory], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return directory;
}

/** The Node options of the image, so that the benchmark measures what runs in production. */
function imageOptions(): readonly string[] {
  const [, entrypoint = '[]'] =
    /^ENTRYPOINT (\[.*\])$/m.exec(readFileSync(path.join(ROOT, 'Dockerfile'), 'utf8')) ?? [];
  const words: unknown = JSON.parse(entrypoint);
  if (!Array.isArray(words)) return [];
  return words.filter((word): word is string => typeof word === 'string' && word.startsWith('--'));
}

/** `direct` is configured by the environment, like a single client app; `proxied` by a file, because only a file can enable reads. */
export function brokerLaunch(settings: BrokerSettings): Launch {
  const command = [process.execPath, ...imageOptions(), path.join(settings.dist, 'main.js'), 'serve'];
  if (settings.delivery === 'direct') return { command, env: environment(settings) };
  const file = path.join(SCRATCH, `broker-${settings.port}.json`);
  writeFileSync(file, JSON.stringify(configuration(settings)));
  return { command, env: { BROKER_CONFIG: file } };
}

function environment({ port, upstreamUrl, callers, certificate }: BrokerSettings): Record<string, string> {
  return {
    PORT: String(port),
    MANAGEMENT_PORT: '0',
    CARTESIA_API_KEY: API_KEY,
    CARTESIA_BASE_URL: upstreamUrl,
    JWT_ISSUER: ISSUER,
    JWT_AUDIENCE: AUDIENCE,
    JWT_JWKS_URL: callers.jwksUrl,
    JWT_ALGORITHMS: ALGORITHMS.join(),
    CORS_ORIGINS: ORIGIN,
    MINT_RATE: RATE,
    MINT_RATE_PER_IP: RATE,
    ...(certificate === null
      ? { CARTESIA_ALLOW_INSECURE: 'true' }
      : {
          TLS_CERT_FILE: certificate.certFile,
          TLS_KEY_FILE: certificate.keyFile,
          NODE_EXTRA_CA_CERTS: certificate.certFile,
        }),
  };
}

function configuration(settings: BrokerSettings): object {
  const {
    port,
    upstreamUrl,
    callers,
    certificate,
    transport = 'undici',
    isLimited = false,
    managementPort = 0,
  } = settings;
  const jwt = {
    issuer: ISSUER,
    audience: AUDIENCE,
    jwks_url: callers.jwksUrl,
    algorithms: ALGORITHMS,
    grants_from: { claim: 'scope', map: { speak: ['tts'], listen: ['stt', 'agent'] } },
  };
  return {
    listen: {
      host: '127.0.0.1',
      port,
      drain_delay: 0,
      drain_deadline: 0,
      ...(certificate === null ? {} : { tls: { cert_file: certificate.certFile, key_file: certificate.keyFile } }),
    },
    management: { port: managementPort },
    upstream: {
      base_url: upstreamUrl,
      api_key: API_KEY,
      transport,
      ...(isLimited ? { concurrency: { tts: CONCURRENCY } } : {}),
      ...(certificate === null ? { allow_insecure: true } : { ca_file: certificate.certFile }),
    },
    tokens: { signing_secret: SIGNING_SECRET },
    limits: { mint_per_address: RATE, ...(isLimited ? { quota: { characters: BUDGET } } : {}) },
    log: { level: 'info' },
    clients: {
      web: {
        auth: { jwt: [jwt] },
        grants: ['tts', 'stt', 'agent'],
        delivery: 'proxied',
        ttl: { default: LIFE_SECONDS, max: LIFE_SECONDS },
        reads: true,
        origins: [ORIGIN],
        content: { models: ['sonic-3', 'ink-2'], max_transcript: 5_000 },
        limits: { mint: RATE, ...(isLimited ? CLIENT_LIMITS : {}) },
      },
    },
  };
}
