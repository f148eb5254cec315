// Accounts for one open socket: metrics while it is open, an audit line when it is over, and reports of both to the limits.
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { SubjectHash } from '../../telemetry/subject-hash.ts';
import type { RelayEnd } from './ending.ts';
import type { SocketUsage } from './protocols/protocol.ts';
import type { SessionGuard } from './session-guard.ts';

/** Where sockets are accounted for. */
export interface SocketTelemetry {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly subjectHash: SubjectHash;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Text only: the request that opened the socket is long gone when the socket ends. */
export interface SocketFacts {
  readonly requestId: string;
  /** `null` if the client names no trace. */
  readonly traceId: string | null;
  readonly client: string;
  readonly subject: string;
  readonly endpoint: string;
}

/** Interval of usage reports, and so the time by which a spent budget may end a socket late. */
const REPORT_MS = 5_000;
/** Consumption from which on a report does not wait for the interval, so that budgets are exceeded by less. Audio in real time stays below it. */
const MUCH = { characters: 1_000, audioSeconds: 20 };

export class SocketAccount {
  readonly #telemetry: SocketTelemetry;
  readonly #facts: SocketFacts;
  readonly #guard: SessionGuard;
  readonly #openedMs: number;
  #reportedMs: number;
  #counted: Readonly<SocketUsage> = NOTHING;
  #isTold = false;

  constructor(telemetry: SocketTelemetry, facts: SocketFacts, guard: SessionGuard) {
    this.#telemetry = telemetry;
    this.#facts = facts;
    this.#guard = guard;
    this.#openedMs = telemetry.now();
    this.#reportedMs = this.#openedMs;
    telemetry.metrics.socketsOpen.inc({ endpoint: facts.endpoint });
    telemetry.metrics.usage.inc({ client: facts.client, endpoint: facts.endpoint, unit: 'requests' });
  }

  used(usage: Readonly<SocketUsage>): void {
    const now = this.#telemetry.now();
    if (now - this.#reportedMs < REPORT_MS && !this.#isMuch(usage)) return;
    this.#reportedMs = now;
    this.#report(usage);
  }

  #isMuch({ characters, audioSeconds }: Readonly<SocketUsage>): boolean {
    const before = this.#counted;
    return characters - before.characters >= MUCH.characters || audioSeconds - before.audioSeconds >= MUCH.audioSeconds;
  }

  #report(usage: Readonly<SocketUsage>): void {
    const { client, endpoint } = this.#facts;
    const before = this.#counted;
    const since: SocketUsage = {
      characters: usage.characters - before.characters,
      audioBytes: usage.audioBytes - before.audioBytes,
      audioSeconds: usage.audioSeconds - before.audioSeconds,
      callSeconds: usage.callSeconds - before.callSeconds,
    };
    let isAny = false;
    for (const [unit, amount] of [
      ['characters', since.characters],
      ['audio_bytes', since.audioBytes],
      ['audio_seconds', since.audioSeconds],
      ['call_seconds', since.callSeconds],
    ] as const) {
      if (amount > 0) this.#telemetry.metrics.usage.inc({ client, endpoint, unit }, amount);
      isAny ||= amount > 0;
    }
    if (!isAny) return;
    this.#counted = { ...usage };
    this.#isTold = true;
    this.#guard.used(since);
  }

  ended({ by, code, outcome }: RelayEnd, usage: Readonly<SocketUsage>): void {
    this.#report(usage);
    const { logger, metrics, subjectHash, now } = this.#telemetry;
    const { requestId, traceId, client, subject, endpoint } = this.#facts;
    if (!this.#isTold) this.#guard.used(NOTHING); // counts the socket itself
    this.#guard.end(by === 'upstream');
    metrics.socketsOpen.dec({ endpoint });
    metrics.socketsClosed.inc({ endpoint, outcome });
    const { characters, audioBytes, audioSeconds, callSeconds } = this.#counted;
    logger.info(
      {
        audit: 'usage',
        request_id: requestId,
        ...(traceId === null ? {} : { trace_id: traceId }),
        route: endpoint,
        client,
        subject: subjectHash(client, subject),
        outcome,
        close_code: code,
        closed_by: by,
        ms: Math.round(now() - this.#openedMs),
        characters,
        audio_bytes: audioBytes,
        audio_seconds: thousandths(audioSeconds),
        ...(callSeconds > 0 ? { call_seconds: thousandths(callSeconds) } : {}),
      },
      'socket closed',
    );
  }
}

function thousandths(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

const NOTHING: Readonly<SocketUsage> = { characters: 0, audioBytes: 0, audioSeconds: 0, callSeconds: 0 };
