// What an operator may set for one client app: who it is, what it may do, and how much of it.
import type { Static } from 'typebox';
import { GRANTS } from './grant.ts';
import { choice, flag, group, integer, list, map, oneOrMany, text } from './schema-nodes.ts';

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
        'The issuer of end-user JWTs: exactly what their `iss` says, a final slash included. A URL, unless `jwks_url` says where the keys are.',
      'x-env': 'JWT_ISSUER',
      examples: ['https://login.example.com'],
    }),
    audience: oneOrMany(text('line', { description: 'One audience.' }), {
      description: 'What `aud` must say: the token is meant for this broker. Several = one of them.',
      'x-env': 'JWT_AUDIENCE',
    }),
    jwks_url: text('jwks_url', {
      description: "Where the issuer's public keys are.",
      'x-env': 'JWT_JWKS_URL',
      'x-default': 'found by OIDC discovery at the issuer',
      'x-optional': true,
    }),
    algorithms: list(choice(ASYMMETRIC_ALGORITHMS, { description: 'A signature algorithm (JWA).' }), {
      description:
        'Signature algorithms that are taken. Only asymmetric ones exist here: who can check an HS256 token can also make one.',
      'x-env': 'JWT_ALGORITHMS',
      minItems: 1,
      default: ['RS256', 'ES256', 'EdDSA'],
    }),
    subject_claim: text('line', {
      description:
        'The claim that names the subject: a text of 1 to 255 printable ASCII characters, else the token is refused.',
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
        description: 'The value it must have, or some of which one.',
      }),
      {
        description:
          'Claims that must be there, each with one of the given values; numbers and booleans as texts, such as `"true"`.',
        'x-optional': true,
      },
    ),
    grants_from: group(
      {
        claim: text('line', {
          description: 'The claim: a text with spaces or a list.',
          examples: ['scope'],
        }),
        map: map(
          text('line', { description: 'A value of the claim.' }),
          oneOrMany(choice(GRANTS, { description: 'A grant.' }), { description: 'What that value grants.' }),
          { description: 'From values of the claim, at least one, to grants; other values grant nothing.' },
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
    { description: `${what}: a budget per hour, day or month of the calendar (UTC).`, 'x-optional': true },
  );

export const CLIENT_SCHEMA = group(
  {
    trusted: flag({
      description:
        'Its app keys belong to a backend that has authenticated its user itself and names it in `X-Broker-Subject`.',
      'x-env': 'TRUSTED_CLIENTS',
      'x-env-description':
        'Client apps of `CLIENT_KEYS` whose app keys belong to a backend that has authenticated its user itself and names it in `X-Broker-Subject`; comma-separated.',
      default: false,
    }),
    auth: group(
      {
        keys: list(text('key_hash', { description: 'SHA-256 of a whole app key.' }), {
          description: 'App keys by their SHA-256, made by `cartesia-broker key`. Two at a time let you change one.',
          'x-env': 'CLIENT_KEYS',
          'x-env-description':
            'App keys, made by `cartesia-broker key`: `name=sha256:<hex>`, comma-separated. Each name is a client app; the same name twice = two keys of it.',
          'x-secret': true,
          default: [],
        }),
        jwt: list(jwt, { description: 'Issuers whose end-user JWTs are taken.', default: [] }),
        anonymous: flag({
          description: 'Take callers without any credential. Must be said out loud.',
          'x-env': 'ALLOW_ANONYMOUS',
          default: false,
        }),
        query_credentials: flag({
          description:
            'Take app keys and JWTs from the query string of a WebSocket upgrade too, where they end up in logs and histories. For clients that cannot set headers; other requests never have a credential there.',
          default: false,
        }),
      },
      { description: 'Who may call in the name of this client app.' },
    ),
    grants: list(choice(GRANTS, { description: 'A grant.' }), {
      description: 'What may be granted: `tts`, `stt`, `agent`.',
      'x-env': 'GRANTS',
      minItems: 1,
      default: ['tts'],
    }),
    default_grants: list(choice(GRANTS, { description: 'A grant.' }), {
      description: 'What is granted when a caller asks for nothing in particular.',
      minItems: 1,
      'x-default': 'the same as `grants`',
      'x-optional': true,
    }),
    ttl: group(
      {
        default: integer({
          description: 'Life of an access token when the caller asks for none.',
          'x-env': 'TOKEN_TTL',
          'x-unit': 'seconds',
          minimum: 1,
          maximum: 3600,
          'x-default': '300, or the longest allowed where that is less',
          'x-optional': true,
        }),
        max: integer({
          description: 'Longest life of an access token. A caller who asks for more gets this.',
          'x-env': 'TOKEN_TTL_MAX',
          'x-unit': 'seconds',
          minimum: 1,
          maximum: 3600,
          default: 900,
        }),
      },
      { description: 'How long access tokens live.' },
    ),
    delivery: choice(['direct', 'proxied'], {
      description:
        "`direct`: Cartesia's own token, to be used at Cartesia. `proxied`: the broker's, to be used at the broker.",
      'x-env': 'DELIVERY',
      default: 'direct',
    }),
    origins: list(text('origin', { description: 'One origin.', examples: ['https://app.example.com'] }), {
      description:
        'Exact origins of browser pages that may call, and of pages inside apps (`capacitor://localhost`). None = no browser page.',
      'x-env': 'CORS_ORIGINS',
      default: [],
    }),
    content: group(
      {
        models: list(text('line', { description: 'A model.' }), {
          description: 'Models that may be used.',
          'x-optional': true,
        }),
        voices: list(text('line', { description: 'The id of a voice.' }), {
          description: 'Voices that may be used.',
          'x-optional': true,
        }),
        languages: list(text('line', { description: 'A language, such as `en`, which stands for `en-GB` too.' }), {
          description: 'Languages that may be named; a request that names none passes.',
          'x-optional': true,
        }),
        formats: list(text('line', { description: 'A container, an encoding, or both as `raw/pcm_s16le`.' }), {
          description: 'Output formats that may be asked for.',
          'x-optional': true,
        }),
        max_transcript: integer({
          description: 'Longest transcript of one generation, a context of a WebSocket included.',
          'x-unit': 'characters',
          minimum: 1,
          maximum: 1_000_000,
          'x-optional': true,
        }),
        agents: list(text('line', { description: 'The id of an agent.' }), {
          description: 'Agents that may be called.',
          'x-optional': true,
        }),
        agent_overrides: list(choice(AGENT_OVERRIDES, { description: 'What may be set.' }), {
          description:
            "What a client may set in an agent's first message (`start`, `session_create`); `other` = fields and messages that the broker does not know.",
          default: [],
        }),
      },
      {
        description:
          "What may be said, and how, in traffic that the broker carries. Cartesia's own tokens (delivery `direct`) are not bound by it.",
        'x-optional': true,
      },
    ),
    sockets: group(
      {
        max_duration: integer({
          description: 'How long one WebSocket may be open.',
          'x-unit': 'seconds',
          minimum: 1,
          maximum: 86_400,
          default: 3600,
        }),
        end_with_token: flag({
          description:
            'Close a WebSocket when the credential that opened it expires (a single-use token excepted). Otherwise `max_duration` alone ends it, as at Cartesia.',
          default: false,
        }),
        idle: integer({
          description: "How long a WebSocket may be silent. Cartesia's own limits stay in force.",
          'x-unit': 'seconds',
          minimum: 1,
          maximum: 300,
          'x-default':
            "a little less than Cartesia's: 290 for speech, 170 for transcription and Line agents, 115 for managed agents",
          'x-optional': true,
        }),
        max_contexts: integer({
          description: 'Generations that one WebSocket may have at a time.',
          minimum: 1,
          maximum: 1000,
          default: 50,
        }),
        max_characters: integer({
          description: 'Transcripts of one WebSocket, all together.',
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
        'Offer `GET /voices`, `GET /voices/{id}` and `GET /accents` to this client app: what the account has, its own voices too. They need no grant.',
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
                'Kept free for this client app, of each kind that it has the grant for and that the account limits.',
              minimum: 0,
              maximum: 100_000,
              'x-optional': true,
            }),
            max: integer({ description: 'Most at a time.', minimum: 1, maximum: 100_000, 'x-optional': true }),
            per_subject: integer({
              description: 'Most at a time for one subject.',
              minimum: 1,
              maximum: 100_000,
              'x-optional': true,
            }),
            weight: integer({
              description: 'Share where several client apps wait: twice the weight, twice the turns.',
              minimum: 1,
              maximum: 100,
              default: 1,
            }),
            priority: choice(['high', 'normal', 'low'], {
              description: 'Each class has four turns for one of the class below it. None starves.',
              default: 'normal',
            }),
          },
          { description: 'Generations, transcriptions and calls at a time, each counted apart.', 'x-optional': true },
        ),
        quota: group(
          {
            characters: quota('Characters that are spoken'),
            audio_seconds: quota('Seconds of audio that are transcribed'),
            call_seconds: quota('Seconds of calls with agents'),
            mints: quota('Access tokens that are minted'),
          },
          {
            description: "Budgets. All but `mints` bind what the broker carries, not Cartesia's own tokens (`direct`).",
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
