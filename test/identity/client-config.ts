// Complete client app configurations for tests; a test names only the settings that it is about.
import type { ClientConfig, JwtConfig } from '../../src/config/config.ts';

const NO_BUDGET = { subject: null, client: null };
const NO_QUOTA = { characters: NO_BUDGET, audio_seconds: NO_BUDGET, call_seconds: NO_BUDGET, mints: NO_BUDGET };

type Overrides = Omit<Partial<ClientConfig>, 'auth'> & { readonly auth?: Partial<ClientConfig['auth']> };

export function clientConfig({ auth, ...overrides }: Overrides = {}): ClientConfig {
  return {
    name: 'web',
    trusted: false,
    auth: { keys: [], jwt: [], anonymous: false, queryCredentials: false, ...auth },
    grants: ['tts'],
    defaultGrants: ['tts'],
    ttl: { defaultSeconds: 300, maxSeconds: 900 },
    delivery: 'direct',
    origins: [],
    content: {
      models: null,
      voices: null,
      languages: null,
      formats: null,
      maxTranscript: null,
      agents: null,
      agentOverrides: [],
    },
    sockets: { maxDurationMs: 3_600_000, endWithToken: false, idleMs: null, maxContexts: 50, maxCharacters: null },
    reads: false,
    limits: { mint: null, concurrency: { reserved: 0, max: null, perSubject: null, weight: 1 }, quota: NO_QUOTA },
    ...overrides,
  };
}

export function jwtConfig(overrides: Partial<JwtConfig> = {}): JwtConfig {
  return {
    issuer: 'https://login.example.com',
    audience: ['voice'],
    jwksUrl: null,
    algorithms: ['RS256', 'ES256'],
    subjectClaim: 'sub',
    toleranceSeconds: 30,
    require: {},
    grantsFrom: null,
    ...overrides,
  };
}
