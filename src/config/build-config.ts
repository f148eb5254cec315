// Converts the settings, in the form of the file, to the configuration that the program reads.
import { parseBudget, type QuotaUnit } from './budget.ts';
import type { ClientSettings, JwtSettings } from './client-schema.ts';
import type {
  CertificateFiles,
  ClientConfig,
  ConcurrencyConfig,
  Config,
  JwtConfig,
  QuotaConfig,
  RedisTlsFiles,
  SecretFile,
} from './config.ts';
import { GRANTS, type Grant } from './grant.ts';
import { isCarrying } from './is-carrying.ts';
import { parseRate } from './rate.ts';
import type { Settings } from './schema.ts';
import { asList } from './schema-nodes.ts';
import { Secret } from './secret.ts';

const DEFAULT_TTL_SECONDS = 300;

/** @param settings checked against the schema and its rules */
export function buildConfig(settings: Settings, secretFiles: readonly SecretFile[]): Config {
  const { listen, management, upstream, tokens, limits, store, usage, log } = settings;
  const clients = Object.entries(settings.clients).map(([name, client]) => buildClient(name, client));
  return {
    listen: {
      host: listen.host,
      port: listen.port,
      publicUrl: listen.public_url ?? null,
      tls: certificateFiles(listen.tls.cert_file, listen.tls.key_file),
      trustProxy: listen.trust_proxy,
      requireHttps: listen.require_https,
      drainDelayMs: listen.drain_delay * 1000,
      drainDeadlineMs: listen.drain_deadline * 1000,
    },
    management: buildManagementConfig(management),
    upstream: {
      apiKeys: secrets(upstream.api_key),
      baseUrl: new URL(upstream.base_url).origin,
      version: upstream.version,
      versionPolicy: upstream.version_policy,
      deadlineMs: upstream.timeout * 1000,
      connections: upstream.connections,
      caFile: upstream.ca_file ?? null,
      transport: upstream.transport,
      concurrency: {
        tts: upstream.concurrency.tts ?? null,
        stt: upstream.concurrency.stt ?? null,
        agent: upstream.concurrency.agent ?? null,
      },
    },
    tokens: { signingSecrets: secrets(tokens.signing_secret), reuse: tokens.reuse },
    limits: {
      mintPerAddress: parseRate(limits.mint_per_address) ?? null,
      queue: {
        waitMs: limits.queue.wait * 1000,
        contextWaitMs: limits.queue.context_wait * 1000,
        length: limits.queue.length,
      },
      quota: {
        characters: parseBudget(limits.quota.characters),
        audio_seconds: parseBudget(limits.quota.audio_seconds),
        call_seconds: parseBudget(limits.quota.call_seconds),
        mints: parseBudget(limits.quota.mints),
      },
    },
    store: {
      redisUrl: store.redis_url === undefined ? null : new Secret(store.redis_url),
      redisTls: redisTlsFiles(store),
      prefix: store.prefix,
    },
    usage: {
      prices: {
        characters: usage.prices.million_characters ?? null,
        audioSeconds: usage.prices.hour_of_audio ?? null,
        callSeconds: usage.prices.hour_of_calls ?? null,
      },
    },
    log: { level: log.level },
    sockets: { browserRefusals: settings.sockets.browser_refusals },
    proxy: isCarrying(settings),
    clients,
    secretFiles,
  };
}

export function buildManagementConfig({
  host,
  port,
  admin_token: token,
}: Settings['management']): Config['management'] {
  return { host, port, adminToken: token === undefined ? null : new Secret(token) };
}

function redisTlsFiles(store: Settings['store']): RedisTlsFiles | null {
  const caFile = store.redis_ca_file ?? null;
  const certificate = certificateFiles(store.redis_cert_file, store.redis_key_file);
  return store.redis_url === undefined || (caFile === null && certificate === null) ? null : { caFile, certificate };
}

function certificateFiles(certFile: string | undefined, keyFile: string | undefined): CertificateFiles | null {
  return certFile === undefined || keyFile === undefined ? null : { certFile, keyFile };
}

function buildClient(name: string, client: ClientSettings): ClientConfig {
  const { auth, ttl } = client;
  const grants = inOrder(client.grants);
  return {
    name,
    trusted: client.trusted,
    auth: {
      keys: auth.keys.map((hash) => hash.slice('sha256:'.length).toLowerCase()),
      jwt: auth.jwt.map(buildJwt),
      anonymous: auth.anonymous,
      queryCredentials: auth.query_credentials,
    },
    grants,
    defaultGrants: client.default_grants === undefined ? grants : inOrder(client.default_grants),
    ttl: { defaultSeconds: ttl.default ?? Math.min(DEFAULT_TTL_SECONDS, ttl.max), maxSeconds: ttl.max },
    delivery: client.delivery,
    origins: client.origins,
    content: {
      models: client.content?.models ?? null,
      voices: client.content?.voices ?? null,
      languages: client.content?.languages ?? null,
      formats: client.content?.formats ?? null,
      maxTranscript: client.content?.max_transcript ?? null,
      agents: client.content?.agents ?? null,
      agentOverrides: client.content?.agent_overrides ?? [],
    },
    sockets: {
      maxDurationMs: client.sockets.max_duration * 1000,
      endWithToken: client.sockets.end_with_token,
      idleMs: client.sockets.idle === undefined ? null : client.sockets.idle * 1000,
      maxContexts: client.sockets.max_contexts,
      maxCharacters: client.sockets.max_characters ?? null,
    },
    reads: client.reads,
    limits: {
      mint: parseRate(client.limits.mint) ?? null,
      concurrency: buildConcurrency(client.limits.concurrency),
      quota: buildQuota(client.limits.quota),
    },
  };
}

/** Priority becomes weight, so that no class starves: each gets four turns for one of the class below. */
const PRIORITY_WEIGHTS = { high: 4, normal: 1, low: 1 / 4 } as const;

function buildConcurrency(settings: ClientSettings['limits']['concurrency']): ConcurrencyConfig {
  return {
    reserved: settings?.reserved ?? 0,
    max: settings?.max ?? null,
    perSubject: settings?.per_subject ?? null,
    weight: (settings?.weight ?? 1) * PRIORITY_WEIGHTS[settings?.priority ?? 'normal'],
  };
}

function buildQuota(settings: ClientSettings['limits']['quota']): QuotaConfig {
  const of = (unit: QuotaUnit): QuotaConfig[QuotaUnit] => ({
    subject: parseBudget(settings?.[unit]?.subject),
    client: parseBudget(settings?.[unit]?.client),
  });
  return {
    characters: of('characters'),
    audio_seconds: of('audio_seconds'),
    call_seconds: of('call_seconds'),
    mints: of('mints'),
  };
}

function buildJwt(jwt: JwtSettings): JwtConfig {
  const { grants_from: from } = jwt;
  return {
    issuer: jwt.issuer,
    audience: asList(jwt.audience),
    jwksUrl: jwt.jwks_url ?? null,
    algorithms: jwt.algorithms,
    subjectClaim: jwt.subject_claim,
    toleranceSeconds: jwt.tolerance,
    require: listsOf(jwt.require ?? {}),
    grantsFrom: from === undefined ? null : { claim: from.claim, map: listsOf(from.map) },
  };
}

function secrets(values: string | readonly string[] | undefined): readonly Secret[] {
  return asList(values).map((value) => new Secret(value));
}

function inOrder(grants: readonly Grant[]): readonly Grant[] {
  return GRANTS.filter((grant) => grants.includes(grant));
}

function listsOf<T extends string>(
  map: Readonly<Record<string, T | readonly T[]>>,
): Readonly<Record<string, readonly T[]>> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, asList(value)]));
}
