// The broker's Prometheus metrics. Labels have few values: never a subject, an address or a path as sent.
import { Counter, collectDefaultMetrics, Gauge, type Histogram, Registry } from 'prom-client';
import { hotCounter, hotHistogram } from './hot-metrics.ts';
import { createLimitMetrics, type LimitMetrics } from './limit-metrics.ts';

export interface Metrics {
  readonly registry: Registry;
  /** `route` is the template, `status` the number. */
  readonly requests: Counter<'route' | 'method' | 'status'>;
  readonly requestSeconds: Histogram<'route'>;
  /**
   * Responses that had begun and then broke off or ended with an error, which their status does not show. `outcome` is the error code;
   * Cartesia's own codes all count as `upstream_error`.
   */
  readonly brokenOff: Counter<'route' | 'outcome'>;
  /** An alarm: refusals with `internal_error`. Those with a status of 500 also include Cartesia's own, passed on. */
  readonly internalErrors: Counter;
  /** `outcome`: `minted`, `reused`, the error code, or `aborted`; a token that arrives after that also counts as `undelivered`. */
  readonly mints: Counter<'client' | 'delivery' | 'outcome'>;
  /** `reason` is from a fixed list, for the operator; callers get the same body for all of them. */
  readonly authenticationFailures: Counter<'reason'>;
  /** Fetches of issuers' keys: `loaded` or `failed`. */
  readonly keySetFetches: Counter<'outcome'>;
  /** Cartesia's units: `unit` is `requests`, `characters`, `audio_seconds`, `audio_bytes` or `call_seconds`. */
  readonly usage: Counter<'client' | 'endpoint' | 'unit'>;
  readonly socketsOpen: Gauge<'endpoint'>;
  /** `outcome`: `ok`, `idle`, `aborted`, `dead_peer`, or an error code. */
  readonly socketsClosed: Counter<'endpoint' | 'outcome'>;
  /** Mints only: a carried request lasts as long as its speech. */
  readonly upstreamSeconds: Histogram<'outcome'>;
  /** An alarm: Cartesia refuses one of our API keys. */
  readonly upstreamKeyRejected: Counter;
  /** Registers the breaker's gauge (0 closed, 1 half open, 2 open), read at each scrape; call it once. */
  readBreaker(state: () => 'closed' | 'half-open' | 'open'): void;
  /** Mints refused without asking: `breaker` is open, or the `queue` is longer than the deadline. */
  readonly upstreamShed: Counter<'reason'>;
  /** `secret` is the last part of the setting's path, such as `api_key` or `signing_secret`. */
  readonly secretsRenewed: Counter<'secret'>;
  /** 1: the file cannot be used and the previous secret stays in use. */
  readonly secretFileUnusable: Gauge<'secret'>;
  /** 1: the files cannot be used and the previous ones stay in use. `use`: `listener`, `upstream`, `redis`. */
  readonly tlsFilesUnusable: Gauge<'use'>;
  /** 1 while overloaded; `reason` is `memory` or `event_loop`. */
  readonly overloaded: Gauge<'reason'>;
  /** Requests refused before routing: for their framing, slowness or size, or because too many wait to begin. */
  readonly refusedBeforeRouting: Counter<'code'>;
  /** Connections closed at once because the connection limit was reached. */
  readonly connectionsTurnedAway: Counter;
  readonly limits: LimitMetrics;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const BREAKER_STATES = { closed: 0, 'half-open': 1, open: 2 } as const;

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: hotCounter({
      name: 'broker_http_requests_total',
      help: 'Requests answered, by route template, method and status.',
      labelNames: ['route', 'method', 'status'],
      registers,
    }),
    requestSeconds: hotHistogram({
      name: 'broker_http_request_duration_seconds',
      help: 'Time from the header block to the last byte of the response.',
      labelNames: ['route'],
      buckets: SECONDS,
      registers,
    }),
    brokenOff: new Counter({
      name: 'broker_answers_broken_off_total',
      help: 'Responses with status 200 that broke off, other than by the caller, or ended with an error event, by route template and outcome.',
      labelNames: ['route', 'outcome'],
      registers,
    }),
    internalErrors: new Counter({
      name: 'broker_internal_errors_total',
      help: 'Requests that failed because of a fault of the broker. Anything above zero is a bug.',
      registers,
    }),
    mints: new Counter({
      name: 'broker_mints_total',
      help: 'Access tokens requested, by client app, delivery and outcome.',
      labelNames: ['client', 'delivery', 'outcome'],
      registers,
    }),
    authenticationFailures: new Counter({
      name: 'broker_authentication_failures_total',
      help: 'Credentials refused, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    keySetFetches: new Counter({
      name: 'broker_key_set_fetches_total',
      help: "Fetches of issuers' keys, by outcome.",
      labelNames: ['outcome'],
      registers,
    }),
    usage: hotCounter({
      name: 'broker_usage_total',
      help: "What carried requests consumed, in Cartesia's units, by client app and endpoint.",
      labelNames: ['client', 'endpoint', 'unit'],
      registers,
    }),
    socketsOpen: new Gauge({
      name: 'broker_sockets_open',
      help: 'Open WebSockets, by endpoint.',
      labelNames: ['endpoint'],
      registers,
    }),
    socketsClosed: new Counter({
      name: 'broker_sockets_closed_total',
      help: 'WebSockets that have ended, by endpoint and outcome.',
      labelNames: ['endpoint', 'outcome'],
      registers,
    }),
    upstreamSeconds: hotHistogram({
      name: 'broker_upstream_duration_seconds',
      help: 'Time that Cartesia takes for a mint, by outcome.',
      labelNames: ['outcome'],
      buckets: SECONDS,
      registers,
    }),
    upstreamKeyRejected: new Counter({
      name: 'broker_upstream_key_rejected_total',
      help: 'Times that Cartesia refused an API key. Anything above zero needs an operator.',
      registers,
    }),
    readBreaker(state) {
      new Gauge({
        name: 'broker_upstream_breaker_state',
        help: 'Circuit breaker to Cartesia: 0 closed, 1 half open (the next mint is tried), 2 open.',
        registers,
        collect() {
          this.set(BREAKER_STATES[state()]);
        },
      });
    },
    upstreamShed: new Counter({
      name: 'broker_upstream_shed_total',
      help: 'Mints refused without asking Cartesia, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    secretsRenewed: new Counter({
      name: 'broker_secrets_renewed_total',
      help: 'Secrets reloaded from their files while the broker runs.',
      labelNames: ['secret'],
      registers,
    }),
    secretFileUnusable: new Gauge({
      name: 'broker_secret_file_unusable',
      help: '1 while the file of a secret cannot be used; the previous secret stays in use.',
      labelNames: ['secret'],
      registers,
    }),
    tlsFilesUnusable: new Gauge({
      name: 'broker_tls_files_unusable',
      help: '1 while files of certificates, keys or authorities cannot be used; the previous ones stay in use.',
      labelNames: ['use'],
      registers,
    }),
    overloaded: new Gauge({
      name: 'broker_overloaded',
      help: '1 while the replica is not ready because its memory is nearly full or its event loop was blocked, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    refusedBeforeRouting: new Counter({
      name: 'broker_refused_before_routing_total',
      help: 'Requests refused for their framing, size or slowness, or because too many wait, by error code.',
      labelNames: ['code'],
      registers,
    }),
    connectionsTurnedAway: new Counter({
      name: 'broker_connections_turned_away_total',
      help: 'Connections closed at once because the connection limit was reached.',
      registers,
    }),
    limits: createLimitMetrics(registry),
  };
}
