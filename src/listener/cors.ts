// Cross-origin rules for browsers. Preflights are answered here, before authentication: they carry no credential.
import type { FastifyCorsOptions } from '@fastify/cors';
import type { ClientConfig } from '../config/config.ts';

/**
 * What the official SDKs (Stainless and Fern generations) and tracing libraries (OpenTelemetry, Sentry) send from a browser; `*` would never
 * cover `authorization`.
 */
const ALLOWED_HEADERS = [
  'authorization',
  'content-type',
  'accept',
  'cartesia-version',
  'x-api-key',
  'x-cartesia-client',
  'user-agent',
  'x-stainless-lang',
  'x-stainless-package-version',
  'x-stainless-os',
  'x-stainless-arch',
  'x-stainless-runtime',
  'x-stainless-runtime-version',
  'x-stainless-retry-count',
  'x-stainless-timeout',
  'x-stainless-async',
  'x-fern-language',
  'x-fern-sdk-name',
  'x-fern-sdk-version',
  'x-fern-runtime',
  'x-fern-runtime-version',
  'traceparent',
  'tracestate',
  'baggage',
  'sentry-trace',
];

/** Without these the SDKs' retry logic cannot see the hints. */
const EXPOSED_HEADERS = [
  'cartesia-request-id',
  'x-request-id',
  'cartesia-file-id',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
];

/**
 * A preflight does not say which client app it is for, so the origins of all are allowed here; the admission pipeline holds
 * each request to the list of its own app.
 */
export function corsOptions(clients: readonly ClientConfig[]): FastifyCorsOptions {
  const origins = [...new Set(clients.flatMap((client) => client.origins))];
  return {
    // A request without Origin does not come from a web page and needs no CORS headers; adding them cost 3 % of a small carried request.
    origin: origins.length === 0 ? false : (origin, decide) => decide(null, origin === undefined ? false : origins),
    methods: ['GET', 'POST', 'OPTIONS'],
    allowedHeaders: ALLOWED_HEADERS,
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: 600,
    credentials: false,
    strictPreflight: false,
  };
}
