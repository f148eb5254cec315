// The one schema of everything an operator may set: the file's form, and beside each setting its environment variable.
// config.schema.json, docs/configuration.md and the readers of both sources derive from it. Settings per client app: client-schema.ts.
import type { Static } from 'typebox';
import { CLIENT_SCHEMA } from './client-schema.ts';
import { choice, flag, group, integer, list, map, number, oneOrMany, text } from './schema-nodes.ts';

/** Names the configuration file; the only variable without a place in it. */
export const CONFIG_FILE_VARIABLE = 'BROKER_CONFIG';

/** What the documentation says about it. */
export const CONFIG_FILE_DESCRIPTION =
  'Path of a YAML or JSON file with the same settings, nested, and with many client apps.';

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
        'PEM file with further certificate authorities to trust for Cartesia, such as that of a TLS-inspecting egress. A renewed file is picked up.',
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

const price = (description: string) =>
  number({ description, minimum: 0, maximum: 1_000_000_000, 'x-optional': true, examples: [49.5] });

const accountBudget = (what: string) =>
  text('budget', {
    description: `${what}, per hour, day or month of the calendar (UTC).`,
    'x-optional': true,
    examples: ['1000000/month'],
  });

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
              description:
                'Most that wait at a time, of each kind. One subject never has more than half of it, one client app of several no more than four fifths.',
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
          description:
            'Begins every key and channel in Redis. Deployments that share a Redis each have their own, also on databases of their own: channels are common to all.',
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
    clients: map(text('client_name', { description: 'The name of a client app.' }), CLIENT_SCHEMA, {
      description: 'The client apps, each with its own policy.',
    }),
  },
  { description: 'Configuration of cartesia-broker.' },
);

/** The settings with every default filled in, as the file writes them: snake_case, durations in seconds. */
export type Settings = Static<typeof SETTINGS_SCHEMA>;
