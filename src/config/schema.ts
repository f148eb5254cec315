// The one schema of everything an operator may set: the file's form, and beside each setting its environment variable.
// config.schema.json, docs/configuration.md and the reading of both sources are made from it.
import type { Static } from 'typebox';
import { GRANTS } from './grant.ts';
import { choice, flag, group, integer, list, map, number, oneOrMany, text } from './schema-nodes.ts';

/** Names the configuration file; the only variable without a place in it. */
export const CONFIG_FILE_VARIABLE = 'BROKER_CONFIG';

/** What the documentation says about it. */
export const CONFIG_FILE_DESCRIPTION =
  'Path of a YAML or JSON file with the same settings, nested, and with many client apps.';

/** Only algorithms whose checking key cannot sign. */
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

/** What an agent's first message may change, by the names of the API; `metadata` holds the numbers of a call too. */
const AGENT_OVERRIDES = ['voice', 'system_prompt', 'introduction', 'metadata', 'dynamic_variables', 'other'] as const;

const listen = group(
  {
    host: text('host', {
      description: 'Address of the public listener. The container image sets 0.0.0.0.',
      'x-env': 'HOST',
      default: '127.0.0.1',
    }),
    port: integer({
      description: 'Port of the public listener; 0 takes any free one.',
      'x-env': 'PORT',
      minimum: 0,
      maximum: 65535,
      default: 8080,
    }),
    public_url: text('public_url', {
      description:
        'Where callers reach the broker: what `base_url` says in answers of delivery `proxied`. Needed behind a load balancer.',
      'x-env': 'PUBLIC_URL',
      'x-default': 'from the listener',
      'x-optional': true,
      examples: ['https://voice.example.com'],
    }),
    tls: group(
      {
        cert_file: text('path', {
          description:
            'PEM file with the certificate chain: the broker serves TLS itself. Renewed files are picked up.',
          'x-env': 'TLS_CERT_FILE',
          'x-optional': true,
        }),
        key_file: text('path', {
          description: 'PEM file with the private key of the certificate.',
          'x-env': 'TLS_KEY_FILE',
          'x-optional': true,
        }),
      },
      { description: 'TLS on the public listener: both files, or neither.' },
    ),
    trust_proxy: list(
      text('address_range', { description: 'An address or a range of addresses.', examples: ['10.0.0.0/8'] }),
      {
        description: 'Addresses of proxies whose `X-Forwarded-*` headers count.',
        'x-env': 'TRUST_PROXY',
        default: [],
      },
    ),
    require_https: flag({
      description:
        'Refuse requests with a credential over plain HTTP (403 `https_required`), unless a trusted proxy says that it received them over HTTPS. `/`, `/docs`, `/openapi.json` and the probes answer all the same.',
      'x-env': 'REQUIRE_HTTPS',
      default: false,
    }),
    drain_delay: integer({
      description:
        'After SIGTERM: how long the broker says that it is not ready and still serves, so that load balancers can turn away.',
      'x-unit': 'seconds',
      minimum: 0,
      maximum: 600,
      default: 5,
    }),
    drain_deadline: integer({
      description: 'After the drain delay: how long requests that are still open may take.',
      'x-unit': 'seconds',
      minimum: 0,
      maximum: 3600,
      default: 20,
    }),
  },
  { description: 'The public listener.' },
);

const management = group(
  {
    host: text('host', {
      description: 'Address of the management listener (`/livez`, `/readyz`, `/metrics`, admin). Keep it private.',
      'x-env': 'MANAGEMENT_HOST',
      default: '127.0.0.1',
    }),
    port: integer({
      description: 'Port of the management listener; 0 takes any free one.',
      'x-env': 'MANAGEMENT_PORT',
      minimum: 0,
      maximum: 65535,
      default: 9090,
    }),
    admin_token: text('admin_token', {
      description:
        'Opens the admin API on the management listener, at least 32 ASCII characters. Without it there is none.',
      'x-env': 'ADMIN_TOKEN',
      'x-secret': true,
      'x-optional': true,
    }),
  },
  { description: 'The management listener.' },
);

const upstream = group(
  {
    api_key: oneOrMany(text('api_key', { description: 'One Cartesia API key.' }), {
      description: 'The Cartesia API key. Several are a key ring: all are used in turn. Required by `serve`.',
      'x-env': 'CARTESIA_API_KEY',
      'x-secret': true,
      'x-optional': true,
    }),
    base_url: text('upstream_url', {
      description: 'Where Cartesia is. `http://` only to the machine itself, and only with `CARTESIA_ALLOW_INSECURE`.',
      'x-env': 'CARTESIA_BASE_URL',
      default: 'https://api.cartesia.ai',
    }),
    allow_insecure: flag({
      description: 'Allow an `http://` upstream on the machine itself, such as the simulator.',
      'x-env': 'CARTESIA_ALLOW_INSECURE',
      default: false,
    }),
    version: text('date', {
      description: 'The Cartesia-Version that is sent where the client names none.',
      'x-env': 'CARTESIA_VERSION',
      default: '2026-03-01',
    }),
    version_policy: choice(['fill', 'pin'], {
      description: "`fill`: a client's valid version passes. `pin`: always ours.",
      'x-env': 'CARTESIA_VERSION_POLICY',
      default: 'fill',
    }),
    timeout: integer({
      description: 'Total time for minting one token upstream, retry included.',
      'x-unit': 'seconds',
      minimum: 1,
      maximum: 60,
      default: 5,
    }),
    connections: integer({
      description: 'Most connections to Cartesia that minting may use.',
      minimum: 1,
      maximum: 1024,
      default: 32,
    }),
    ca_file: text('path', {
      description:
        'PEM file with further certificate authorities to trust for Cartesia, such as that of a TLS-inspecting egress.',
      'x-optional': true,
    }),
    transport: choice(['undici', 'native'], {
      description:
        "How carried traffic travels. `undici`: its HTTP client. `native`: the broker's own, stricter one, at a fraction of the cost for each request and chunk.",
      default: 'undici',
    }),
    concurrency: group(
      {
        tts: integer({
          description: "Most speech generations at a time: your plan's number. Unset = not limited by the broker.",
          'x-env': 'TTS_CONCURRENCY',
          minimum: 1,
          maximum: 100_000,
          'x-optional': true,
        }),
        stt: integer({
          description: "Most transcriptions at a time: your plan's number. Unset = not limited by the broker.",
          'x-env': 'STT_CONCURRENCY',
          minimum: 1,
          maximum: 100_000,
          'x-optional': true,
        }),
        agent: integer({
          description: "Most agent calls at a time: your plan's number. Unset = not limited by the broker.",
          'x-env': 'AGENT_CONCURRENCY',
          minimum: 1,
          maximum: 100_000,
          'x-optional': true,
        }),
      },
      { description: 'What the Cartesia plan allows at a time.' },
    ),
  },
  { description: 'How the broker talks to Cartesia.' },
);

const tokens = group(
  {
    signing_secret: oneOrMany(text('signing_secret', { description: 'One signing secret.' }), {
      description:
        'Signs access tokens of delivery `proxied`, at least 32 bytes. Several = rotation: the first signs, all verify. Required where tokens are proxied.',
      'x-env': 'TOKEN_SIGNING_SECRET',
      'x-secret': true,
      'x-optional': true,
    }),
    reuse: flag({
      description: 'Hand a subject its still fresh direct token again instead of minting a new one.',
      default: false,
    }),
  },
  { description: 'Access tokens.' },
);

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
          { description: 'From values of the claim to grants; other values grant nothing.' },
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

const price = (description: string) =>
  number({ description, minimum: 0, maximum: 1_000_000_000, 'x-optional': true, examples: [49.5] });

const accountBudget = (what: string) =>
  text('budget', {
    description: `${what}, per hour, day or month of the calendar (UTC).`,
    'x-optional': true,
    examples: ['1000000/month'],
  });

const client = group(
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
      description: 'Exact origins of browser pages that may call. None = no browser page.',
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

export const SETTINGS_SCHEMA = group(
  {
    listen,
    management,
    upstream,
    tokens,
    limits: group(
      {
        mint_per_address: text('rate_or_off', {
          description: 'Requests for access tokens per client address (IPv6: per /64).',
          'x-env': 'MINT_RATE_PER_IP',
          default: '60/minute',
        }),
        queue: group(
          {
            wait: integer({
              description: 'How long a request waits for its turn before it is refused (429 `concurrency_limited`).',
              'x-unit': 'seconds',
              minimum: 0,
              maximum: 30,
              default: 2,
            }),
            context_wait: integer({
              description: 'The same for each generation inside a WebSocket.',
              'x-unit': 'seconds',
              minimum: 0,
              maximum: 30,
              default: 1,
            }),
            length: integer({
              description: 'Most that wait at a time, of each kind. One subject never has more than half of it.',
              minimum: 1,
              maximum: 10_000,
              default: 500,
            }),
          },
          { description: 'Waiting for a turn where `upstream.concurrency` is used up.' },
        ),
        quota: group(
          {
            characters: accountBudget('Characters that are spoken'),
            audio_seconds: accountBudget('Seconds of audio that are transcribed'),
            call_seconds: accountBudget('Seconds of calls with agents'),
            mints: accountBudget('Access tokens that are minted'),
          },
          { description: 'Budgets of all client apps together.' },
        ),
      },
      { description: 'Limits of the whole deployment.' },
    ),
    store: group(
      {
        redis_url: text('redis_url', {
          description: 'Redis or Valkey for state that replicas share. Unset = memory, right for one replica.',
          'x-env': 'REDIS_URL',
          'x-secret': true,
          'x-optional': true,
        }),
        redis_ca_file: text('path', {
          description:
            'PEM file with further certificate authorities to trust for Redis (`rediss://`). Renewed files are picked up.',
          'x-env': 'REDIS_CA_FILE',
          'x-optional': true,
        }),
        redis_cert_file: text('path', {
          description:
            'PEM file with the certificate chain that the broker shows to Redis, where that asks for one (`tls-auth-clients`). Renewed files are picked up.',
          'x-env': 'REDIS_CERT_FILE',
          'x-optional': true,
        }),
        redis_key_file: text('path', {
          description: 'PEM file with the private key of that certificate.',
          'x-env': 'REDIS_KEY_FILE',
          'x-optional': true,
        }),
        prefix: text('store_prefix', {
          description: 'Begins every key in Redis. Deployments that share a Redis each have their own.',
          'x-env': 'REDIS_PREFIX',
          default: 'cartesia-broker',
        }),
      },
      { description: 'Where state lives.' },
    ),
    usage: group(
      {
        prices: group(
          {
            million_characters: price('Price of a million characters that are spoken.'),
            hour_of_audio: price('Price of an hour of audio that is transcribed.'),
            hour_of_calls: price('Price of an hour of calls with agents.'),
          },
          { description: 'What your plan costs, in any currency: `GET /admin/usage` then shows costs.' },
        ),
      },
      { description: 'What is consumed.' },
    ),
    log: group(
      {
        level: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
          description:
            'How much is logged. Request, mint, refusal and admin audit lines are `info`: with `warn` and above there are none.',
          'x-env': 'LOG_LEVEL',
          default: 'info',
        }),
      },
      { description: 'Logs.' },
    ),
    sockets: group(
      {
        browser_refusals: choice(['status', 'event'], {
          description:
            'How a browser learns that its WebSocket is refused. `status`: like everybody, by an HTTP status, which no browser shows to a page. `event`: accepted, told by an error event, and closed with 1008 (final) or 1013 (try later).',
          default: 'status',
        }),
      },
      { description: 'WebSockets.' },
    ),
    proxy: flag({
      description: "Serve Cartesia's own paths.",
      'x-env': 'PROXY',
      'x-default': '`true` where a client app has delivery `proxied`, otherwise `false`',
      'x-optional': true,
    }),
    clients: map(text('client_name', { description: 'The name of a client app.' }), client, {
      description: 'The client apps, each with its own policy.',
    }),
  },
  { description: 'Configuration of cartesia-broker.' },
);

/** The settings with every default filled in, as the file writes them: snake_case, durations in seconds. */
export type Settings = Static<typeof SETTINGS_SCHEMA>;
export type ClientSettings = Settings['clients'][string];
export type JwtSettings = ClientSettings['auth']['jwt'][number];
