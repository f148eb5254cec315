// What an operator may set for one client app: who it is, what it may do, and how much of it.
import type { Static } from 'typebox';
import { GRANTS } from './grant.ts';
import { choice, flag, group, integer, list, map, oneOrMany, text } from './schema-nodes.ts';
import { LIFETIME_MAX_SECONDS } from './token-lifetime.ts';

/** Only algorithms whose verification key cannot sign. */
const ASYMMETRIC_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** What an agent's first message may change, by the API's names; `metadata` also holds the phone numbers of a call (`to`, `from`). */
const AGENT_OVERRIDES = ['voice', 'system_prompt', 'introduction', 'metadata', 'dynamic_variables', 'other'] as const;

const jwt = group(
  {
    issuer: text('line', {
      description:
        'The issuer of end-user JWTs, exactly as in their `iss`, including any final slash. A URL, unless `jwks_url` is set.',
      'x-env': 'JWT_ISSUER',
      examples: ['https://login.example.com'],
    }),
    audience: oneOrMany(text('line', { description: 'One audience.' }), {
      description:
        'The audience that `aud` must name, so that only tokens meant for this broker are accepted. Several = any of them.',
      'x-env': 'JWT_AUDIENCE',
    }),
    jwks_url: text('jwks_url', {
      description: "URL of the issuer's public keys.",
      'x-env': 'JWT_JWKS_URL',
      'x-default': 'found by OIDC discovery at the issuer',
      'x-optional': true,
    }),
    algorithms: list(choice(ASYMMETRIC_ALGORITHMS, { description: 'A signature algorithm (JWA).' }), {
      description:
        'Accepted signature algorithms. Only asymmetric ones are supported: anybody able to verify an HS256 token can also make one.',
      'x-env': 'JWT_ALGORITHMS',
      minItems: 1,
      default: ['RS256', 'ES256', 'EdDSA'],
    }),
    subject_claim: text('line', {
      description:
        'The claim that names the subject. Unless it is a string of 1 to 255 printable ASCII characters, the token is refused.',
      default: 'sub',
    }),
    tolerance: integer({
      description: 'How far clocks may differ when `exp`, `nbf` and `iat` are checked.',
      'x-unit': 'seconds',
      minimum: 0,
      maximum: 60,
      default: 30,
    }),
    require: map(
      text('line', { description: 'A claim.' }),
      oneOrMany(text('line', { description: 'A value.' }), {
        description: 'The value it must have, or a list of allowed values.',
      }),
      {
        description:
          'Claims that a token must have, each with one of the given values. Numbers and booleans are written as strings, such as `"true"`.',
        'x-optional': true,
      },
    ),
    grants_from: group(
      {
        claim: text('line', {
          description: 'The claim, also a nested one such as `realm_access.roles`: a space-separated string or a list.',
          examples: ['scope'],
        }),
        map: map(
          text('line', { description: 'A value of the claim.' }),
          oneOrMany(choice(GRANTS, { description: 'A grant.' }), { description: 'What that value grants.' }),
          { description: 'Which values of the claim, at least one, give which grants. Other values grant nothing.' },
        ),
      },
      { description: 'Take the grants of a subject from a claim.', 'x-optional': true },
    ),
  },
  { description: 'One issuer of end-user JWTs.' },
);

const quota = (what: string) =>
  group(
    {
      subject: text('budget', {
        description: `${what}, for each subject.`,
        'x-optional': true,
        examples: ['20000/day'],
      }),
      client: text('budget', {
        description: `${what}, for the whole client app.`,
        'x-optional': true,
        examples: ['1000000/month'],
      }),
    },
    { description: `${what}: a budget per calendar hour, day or month (UTC).`, 'x-optional': true },
  );

export const CLIENT_SCHEMA = group(
  {
    trusted: flag({
      description:
        'Its app keys belong to a backend that authenticates its users itself and names the user in `X-Broker-Subject`.',
      'x-env': 'TRUSTED_CLIENTS',
      'x-env-description':
        'Client apps of `CLIENT_KEYS` whose app keys belong to a backend that authenticates its users itself and names the user in `X-Broker-Subject`; comma-separated.',
      default: false,
    }),
    auth: group(
      {
        keys: list(text('key_hash', { description: 'SHA-256 of a whole app key.' }), {
          description:
            'SHA-256 hashes of app keys, made by `cartesia-broker key`. With two at a time, one can be replaced.',
          'x-env': 'CLIENT_KEYS',
          'x-env-description':
            'Hashes of app keys, made by `cartesia-broker key`: `name=sha256:<hex>`, comma-separated. Each name is a client app; the same name twice = two keys of it.',
          'x-secret': true,
          default: [],
        }),
        jwt: list(jwt, { description: 'Issuers whose end-user JWTs are accepted.', default: [] }),
        anonymous: flag({
          description: 'Accept callers without any credential. Never a default: it must be set explicitly.',
          'x-env': 'ALLOW_ANONYMOUS',
          default: false,
        }),
        query_credentials: flag({
          description:
            'Also accept app keys and JWTs in the query string of a WebSocket upgrade, for clients that cannot set headers. They end up in logs and histories. In the query of any other request a credential is never accepted.',
          default: false,
        }),
      },
      { description: 'Who may call as this client app.' },
    ),
    grants: list(choice(GRANTS, { description: 'A grant.' }), {
      description: 'Grants that callers may have: `tts`, `stt`, `agent`.',
      'x-env': 'GRANTS',
      minItems: 1,
      default: ['tts'],
    }),
    default_grants: list(choice(GRANTS, { description: 'A grant.' }), {
      description: 'Grants of a caller that asks for none.',
      minItems: 1,
      'x-default': 'the same as `grants`',
      'x-optional': true,
    }),
    ttl: group(
      {
        default: integer({
          description: 'Lifetime of an access token when the caller asks for none.',
          'x-env': 'TOKEN_TTL',
          'x-unit': 'seconds',
          minimum: 1,
          maximum: LIFETIME_MAX_SECONDS,
          'x-default': '300, or the longest allowed if that is less',
          'x-optional': true,
        }),
        max: integer({
          description: 'Longest lifetime of an access token. A caller that asks for more gets this.',
          'x-env': 'TOKEN_TTL_MAX',
          'x-unit': 'seconds',
          minimum: 1,
          maximum: LIFETIME_MAX_SECONDS,
          default: 900,
        }),
      },
      { description: 'Lifetime of access tokens.' },
    ),
    delivery: choice(['direct', 'proxied'], {
      description:
        '`direct`: a token of Cartesia, for use at Cartesia. `proxied`: a token of the broker, for use at the broker.',
      'x-env': 'DELIVERY',
      default: 'direct',
    }),
    origins: list(text('origin', { description: 'One origin.', examples: ['https://app.example.com'] }), {
      description:
        'Exact origins of browser pages that may call, and of pages inside apps (`capacitor://localhost`). If empty, no page may call.',
      'x-env': 'CORS_ORIGINS',
      default: [],
    }),
    content: group(
      {
        models: list(text('line', { description: 'A model.' }), {
          description: 'Models that may be used.',
          minItems: 1,
          'x-optional': true,
        }),
        voices: list(text('line', { description: 'The id of a voice.' }), {
          description: 'Voices that may be used.',
          minItems: 1,
          'x-optional': true,
        }),
        languages: list(text('line', { description: 'A language, such as `en`, which stands for `en-GB` too.' }), {
          description: 'Languages that a request may name. A request that names none is allowed.',
          minItems: 1,
          'x-optional': true,
        }),
        formats: list(text('line', { description: 'A container, an encoding, or both as `raw/pcm_s16le`.' }), {
          description: 'Output formats that may be requested.',
          minItems: 1,
          'x-optional': true,
        }),
        max_transcript: integer({
          description: 'Longest transcript of one generation or one WebSocket context.',
          'x-unit': 'characters',
          minimum: 1,
          maximum: 1_000_000,
          'x-optional': true,
        }),
        agents: list(text('line', { description: 'The id of an agent.' }), {
          description: 'Agents that may be called.',
          minItems: 1,
          'x-optional': true,
        }),
        agent_overrides: list(choice(AGENT_OVERRIDES, { description: 'What may be set.' }), {
          description:
            'What a client may set in its first message to an agent (`start`, `session_create`). `other` = fields and messages that the broker does not know.',
          default: [],
        }),
      },
      {
        description:
          "Restricts what may be said, and how, in traffic that the broker carries. It does not bind Cartesia's own tokens (delivery `direct`).",
        'x-optional': true,
      },
    ),
    sockets: group(
      {
        max_duration: integer({
          description: 'How long one WebSocket may stay open.',
          'x-unit': 'seconds',
          minimum: 1,
          maximum: 86_400,
          default: 3600,
        }),
        end_with_token: flag({
          description:
            'Close a WebSocket when the credential that opened it expires, except for a single-use token. Otherwise only `max_duration` ends it, as at Cartesia.',
          default: false,
        }),
        idle: integer({
          description: "How long a WebSocket may be silent. Cartesia's own limits also apply.",
          'x-unit': 'seconds',
          minimum: 1,
          maximum: 300,
          'x-default':
            "a little less than Cartesia's: 290 for speech, 170 for transcription and Line agents, 115 for managed agents",
          'x-optional': true,
        }),
        max_contexts: integer({
          description: 'Maximum number of concurrent generations on one WebSocket.',
          minimum: 1,
          maximum: 1000,
          default: 50,
        }),
        max_characters: integer({
          description: 'Maximum length of all transcripts of one WebSocket together.',
          'x-unit': 'characters',
          minimum: 1,
          maximum: 100_000_000,
          'x-optional': true,
        }),
      },
      { description: 'WebSockets that the broker carries for this client app.' },
    ),
    reads: flag({
      description:
        'Offer `GET /voices`, `GET /voices/{id}` and `GET /accents` to this client app. They show what the account has, including its own voices, and need no grant.',
      default: false,
    }),
    limits: group(
      {
        mint: text('rate_or_off', {
          description: 'Access tokens per subject.',
          'x-env': 'MINT_RATE',
          default: '30/minute',
        }),
        concurrency: group(
          {
            reserved: integer({
              description:
                'Places kept free for this client app, of each kind that it has the grant for and that the account limits.',
              minimum: 0,
              maximum: 100_000,
              'x-optional': true,
            }),
            max: integer({ description: 'Maximum at a time.', minimum: 1, maximum: 100_000, 'x-optional': true }),
            per_subject: integer({
              description: 'Maximum at a time for one subject.',
              minimum: 1,
              maximum: 100_000,
              'x-optional': true,
            }),
            weight: integer({
              description: 'Share while several client apps wait: twice the weight, twice the turns.',
              minimum: 1,
              maximum: 100,
              default: 1,
            }),
            priority: choice(['high', 'normal', 'low'], {
              description: 'Each class gets four turns for every turn of the class below it, so none starves.',
              default: 'normal',
            }),
          },
          {
            description: 'Concurrent generations, transcriptions and calls, each kind counted separately.',
            'x-optional': true,
          },
        ),
        quota: group(
          {
            characters: quota('Characters spoken'),
            audio_seconds: quota('Seconds of audio transcribed'),
            call_seconds: quota('Seconds of agent calls'),
            mints: quota('Access tokens minted'),
          },
          {
            description:
              "Budgets. All but `mints` apply only to what the broker carries, not to Cartesia's own tokens (`direct`).",
            'x-optional': true,
          },
        ),
      },
      { description: 'Limits of this client app.' },
    ),
  },
  { description: 'One client app.' },
);

export type ClientSettings = Static<typeof CLIENT_SCHEMA>;
export type JwtSettings = ClientSettings['auth']['jwt'][number];
