// Notes on POST /access-token: how to call it, and examples made by the code that makes the real responses.
import type { Delivery } from '../../../src/config/config.ts';
import type { Grant } from '../../../src/config/grant.ts';
import type { Example } from '../../../src/reference/openapi-document.ts';
import { accessTokenAnswer, destination } from '../../../src/tokens/access-token.ts';
import type { EndpointNotes } from './notes.ts';

/** Any moment will do, as long as it never changes. */
const EXPIRES_AT_MS = Date.UTC(2026, 10, 22, 12, 5, 0);
const VERSION = '2026-03-01';

export const MINT_NOTES: EndpointNotes = {
  credential: 'required',
  description: [
    'Returns a short-lived access token for the caller: a user with a session token of your identity provider, an app with its app key, or a backend on behalf of its user.',
    'An empty object asks for the default grants and the default lifetime of the client app. If a grant is not allowed, the request is refused and nothing is minted. A lifetime that is too long is shortened, as `expires_in` then shows.',
    'The response says where the token is valid: if the app passes `token` and `base_url` to the SDK, the operator can switch between the two deliveries without a new release of the app. `direct`: a token of Cartesia, for `api.cartesia.ai`. `proxied`: a token of the broker, for the broker.',
  ].join('\n\n'),
  parameters: ['CartesiaVersion', 'BrokerSubject'],
  bodyName: 'MintRequest',
  bodyExamples: {
    speech: { summary: 'Speech for five minutes', value: { grants: { tts: true }, expires_in: 300 } },
    defaults: { summary: 'Whatever the client app gets by default', value: {} },
    conversation: {
      summary: 'Speech both ways, for as long as is allowed',
      value: { grants: { tts: true, stt: true }, expires_in: 3600 },
    },
  },
  answer: {
    description: 'An access token.',
    name: 'AccessToken',
    examples: {
      direct: example('Delivery `direct`: the client talks to Cartesia', 'direct', ['tts'], 'https://api.cartesia.ai'),
      proxied: example(
        'Delivery `proxied`: the client talks to the broker',
        'proxied',
        ['tts', 'stt'],
        'https://voice.example.com',
      ),
    },
    headers: [
      'cache-control',
      'referrer-policy',
      'cartesia-request-id',
      'ratelimit-limit',
      'ratelimit-remaining',
      'ratelimit-reset',
    ],
  },
  problems: [
    'invalid_version',
    'unauthenticated',
    'token_expired',
    'quota_exceeded',
    'grant_not_allowed',
    'endpoint_not_allowed',
    'origin_not_allowed',
    'subject_not_allowed',
    'token_revoked',
    'https_required',
    'payload_too_large',
    'unsupported_media_type',
    'rate_limited',
    'concurrency_limited',
    'upstream_unavailable',
    'upstream_rejected',
    'store_unavailable',
    'overloaded',
    'draining',
    'upstream_timeout',
  ],
  samples: [
    {
      lang: 'Shell',
      label: 'curl',
      source: `BROKER=http://127.0.0.1:8080
curl "$BROKER/access-token" \\
  -H "Authorization: Bearer $CREDENTIAL" \\
  -H "Content-Type: application/json" \\
  -d '{"grants": {"tts": true}}'`,
    },
    {
      lang: 'JavaScript',
      label: 'Official SDK, in your app',
      source: `import Cartesia from '@cartesia/cartesia-js';

// What your app already has: its user's session
// token, or an app key.
const broker = new Cartesia({
  apiKey: credential,
  baseURL: 'http://127.0.0.1:8080',
});
const answer = await broker.accessToken.create({
  grants: { tts: true },
  expires_in: 300,
});

// From here on, use Cartesia as usual.
const cartesia = new Cartesia({
  token: answer.token,
  baseURL: answer.base_url,
});
const speech = await cartesia.tts.generate({
  model_id: 'sonic-3',
  transcript: 'Hello from a short-lived token.',
  voice: { id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b' },
  output_format: {
    container: 'wav',
    encoding: 'pcm_s16le',
    sample_rate: 44100,
  },
});`,
    },
    {
      lang: 'Shell',
      label: 'Your backend, for its user',
      source: `# A key of a client app marked as trusted.
curl "$BROKER/access-token" \\
  -H "X-API-Key: $APP_KEY" \\
  -H "X-Broker-Subject: user-42" \\
  -H "Content-Type: application/json" \\
  -d '{"grants": {"tts": true}}'`,
    },
  ],
};

function example(summary: string, delivery: Delivery, grants: readonly Grant[], url: string): Example {
  const token = {
    // Only the beginning of a token: a whole one on a public page would alarm every secret scanner.
    token: 'eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9…',
    expiresAtMs: EXPIRES_AT_MS,
    lifetimeSeconds: 300,
  };
  return {
    summary,
    value: accessTokenAnswer(token, grants, destination(delivery, url), VERSION, EXPIRES_AT_MS - 300_000),
  };
}
