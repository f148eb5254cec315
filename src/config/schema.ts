// The one schema of everything an operator may set: the file's form, and beside each setting its environment variable.
// config.schema.json, docs/configuration.md and the readers of both sources derive from it. Settings per client app: client-schema.ts; of the two listeners: listener-schema.ts.
import type { Static } from 'typebox';
import { CLIENT_SCHEMA } from './client-schema.ts';
import { LISTEN_SCHEMA, MANAGEMENT_SCHEMA } from './listener-schema.ts';
import { choice, flag, group, integer, map, number, oneOrMany, text } from './schema-nodes.ts';

/** Names the configuration file; the only variable without a place in it. */
export const CONFIG_FILE_VARIABLE = 'BROKER_CONFIG';

/** What the documentation says about it. */
export const CONFIG_FILE_DESCRIPTION =
  'Path of a YAML or JSON file with the same settings, nested, that can describe many client apps.';

const upstream = group(
  {
    api_key: oneOrMany(text('api_key', { description: 'One Cartesia API key.' }), {
      description: 'The Cartesia API key. Several form a key ring and are used in turn. Required by `serve`.',
      'x-env': 'CARTESIA_API_KEY',
      'x-secret': true,
      'x-optional': true,
    }),
    base_url: text('upstream_url', {
      description:
        'URL of the Cartesia API. `http://` only to the same machine, and only with `CARTESIA_ALLOW_INSECURE`.',
      'x-env': 'CARTESIA_BASE_URL',
      default: 'https://api.cartesia.ai',
    }),
    allow_insecure: flag({
      description: 'Allow an `http://` upstream on the same machine, such as the simulator.',
      'x-env': 'CARTESIA_ALLOW_INSECURE',
      default: false,
    }),
    version: text('date', {
      description: 'The Cartesia-Version to send when the client names none.',
      'x-env': 'CARTESIA_VERSION',
      default: '2026-03-01',
    }),
    version_policy: choice(['fill', 'pin'], {
      description:
        "`fill`: pass on the client's version, and fill in a missing one. `pin`: always send `CARTESIA_VERSION`.",
      'x-env': 'CARTESIA_VERSION_POLICY',
      default: 'fill',
    }),
    timeout: integer({
      description: 'Total time for minting one token at Cartesia, including the retry.',
      'x-unit': 'seconds',
      minimum: 1,
      maximum: 60,
      default: 5,
    }),
    connections: integer({
      description: 'Maximum number of connections to Cartesia for minting.',
      minimum: 1,
      maximum: 1024,
      default: 32,
    }),
    ca_file: text('path', {
      description:
        'PEM file with additional certificate authorities to trust for Cartesia, such as that of a TLS-inspecting proxy. A renewed file is picked up.',
      'x-optional': true,
    }),
    transport: choice(['undici', 'native'], {
      description:
        "The HTTP client for carried traffic. `undici`: the library of that name. `native`: the broker's own, which is stricter and costs a fraction per request and chunk.",
      default: 'undici',
    }),
    concurrency: group(
      {
        tts: integer({
          description: 'Speech generations that your plan allows at a time. Unset = not limited by the broker.',
          'x-env': 'TTS_CONCURRENCY',
          minimum: 1,
          maximum: 100_000,
          'x-optional': true,
        }),
        stt: integer({
          description: 'Transcriptions that your plan allows at a time. Unset = not limited by the broker.',
          'x-env': 'STT_CONCURRENCY',
          minimum: 1,
          maximum: 100_000,
          'x-optional': true,
        }),
        agent: integer({
          description: 'Agent calls that your plan allows at a time. Unset = not limited by the broker.',
          'x-env': 'AGENT_CONCURRENCY',
          minimum: 1,
          maximum: 100_000,
          'x-optional': true,
        }),
      },
      { description: 'Concurrency that the Cartesia plan allows.' },
    ),
  },
  { description: 'How the broker talks to Cartesia.' },
);

const tokens = group(
  {
    signing_secret: oneOrMany(text('signing_secret', { description: 'One signing secret.' }), {
      description:
        'Secret that signs access tokens of delivery `proxied`, at least 32 bytes. Several = rotation: the first signs, all verify. Required if a client app has that delivery.',
      'x-env': 'TOKEN_SIGNING_SECRET',
      'x-secret': true,
      'x-optional': true,
    }),
    reuse: flag({
      description: 'Give a subject its previous direct token again while it is fresh, instead of minting a new one.',
      default: false,
    }),
  },
  { description: 'Access tokens.' },
);

const price = (description: string) =>
  number({ description, minimum: 0, maximum: 1_000_000_000, 'x-optional': true, examples: [49.5] });

const accountBudget = (what: string) =>
  text('budget', {
    description: `${what}, per calendar hour, day or month (UTC).`,
    'x-optional': true,
    examples: ['1000000/month'],
  });

export const SETTINGS_SCHEMA = group(
  {
    listen: LISTEN_SCHEMA,
    management: MANAGEMENT_SCHEMA,
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
              description: 'The same for each generation on a WebSocket.',
              'x-unit': 'seconds',
              minimum: 0,
              maximum: 30,
              default: 1,
            }),
            length: integer({
              description:
                'Maximum number waiting at a time, for each kind. One subject takes at most half of it, one of several client apps at most four fifths.',
              minimum: 1,
              maximum: 10_000,
              default: 500,
            }),
          },
          { description: 'Waiting for a turn while `upstream.concurrency` is used up.' },
        ),
        quota: group(
          {
            characters: accountBudget('Characters spoken'),
            audio_seconds: accountBudget('Seconds of audio transcribed'),
            call_seconds: accountBudget('Seconds of agent calls'),
            mints: accountBudget('Access tokens minted'),
          },
          { description: 'Budgets of all client apps together.' },
        ),
      },
      { description: 'Limits of the whole deployment.' },
    ),
    store: group(
      {
        redis_url: text('redis_url', {
          description:
            'Redis or Valkey for the state that replicas share. Unset = kept in memory, which suits a single replica.',
          'x-env': 'REDIS_URL',
          'x-secret': true,
          'x-optional': true,
        }),
        redis_ca_file: text('path', {
          description:
            'PEM file with additional certificate authorities to trust for Redis (`rediss://`). A renewed file is picked up.',
          'x-env': 'REDIS_CA_FILE',
          'x-optional': true,
        }),
        redis_cert_file: text('path', {
          description:
            'PEM file with the certificate chain that the broker presents to Redis, if Redis asks for one (`tls-auth-clients`). Renewed files are picked up.',
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
            'Prefix of every key and channel in Redis. Deployments that share a Redis need different ones, even on separate databases: channels are common to all of them.',
          'x-env': 'REDIS_PREFIX',
          default: 'cartesia-broker',
        }),
      },
      { description: 'Where state is kept.' },
    ),
    usage: group(
      {
        prices: group(
          {
            million_characters: price('Price of a million characters spoken.'),
            hour_of_audio: price('Price of an hour of audio transcribed.'),
            hour_of_calls: price('Price of an hour of agent calls.'),
          },
          { description: 'Prices of your plan, in any currency. With them `GET /admin/usage` shows costs.' },
        ),
      },
      { description: 'Consumption and its cost.' },
    ),
    log: group(
      {
        level: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
          description:
            'How much is logged. Request, mint, refusal and admin audit lines have the level `info`; `warn` and above leave them out.',
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
            'How a browser is told that its WebSocket is refused. `status`: by an HTTP status, as for every client, although no browser shows it to the page. `event`: the WebSocket is accepted, receives an error event, and is closed with 1008 (final) or 1013 (try later).',
          default: 'status',
        }),
      },
      { description: 'WebSockets.' },
    ),
    proxy: flag({
      description: "Serve Cartesia's own paths and carry their traffic.",
      'x-env': 'PROXY',
      'x-default': '`true` if a client app has delivery `proxied`, otherwise `false`',
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
