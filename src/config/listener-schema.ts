// Settings of the public listener and of the management listener.
import { flag, group, integer, list, text } from './schema-nodes.ts';

/** Where callers reach the broker. */
export const LISTEN_SCHEMA = group(
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
        'URL at which callers reach the broker: `base_url` in token responses of delivery `proxied`. Needed behind a load balancer.',
      'x-env': 'PUBLIC_URL',
      'x-default': 'the address of the listener',
      'x-optional': true,
      examples: ['https://voice.example.com'],
    }),
    tls: group(
      {
        cert_file: text('path', {
          description:
            'PEM file with the certificate chain; the broker then serves TLS itself. Renewed files are picked up.',
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
        description: 'Addresses of proxies whose `X-Forwarded-*` headers are trusted.',
        'x-env': 'TRUST_PROXY',
        default: [],
      },
    ),
    require_https: flag({
      description:
        'Refuse requests over plain HTTP (403 `https_required`), unless a trusted proxy says that it received them over HTTPS. `/`, `/docs`, `/openapi.json` and the probes are always answered.',
      'x-env': 'REQUIRE_HTTPS',
      default: false,
    }),
    drain_delay: integer({
      description:
        'After SIGTERM: how long the broker reports that it is not ready but still serves requests, so that load balancers stop sending it traffic.',
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

/** Where operators and their machines reach it. */
export const MANAGEMENT_SCHEMA = group(
  {
    host: text('host', {
      description:
        'Address of the management listener (`/livez`, `/readyz`, `/metrics`, admin API, console). Keep it private.',
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
        'Token for the admin API and the console on the management listener, at least 32 ASCII characters. Without it there is neither.',
      'x-env': 'ADMIN_TOKEN',
      'x-secret': true,
      'x-optional': true,
    }),
  },
  { description: 'The management listener.' },
);
