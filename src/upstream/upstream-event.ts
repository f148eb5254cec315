// Events on the way to Cartesia, for metrics, logs and alarms. No event contains a secret.
import type { ProblemCode } from '../errors/problems.ts';
import type { BreakerState } from './circuit-breaker.ts';
import type { FailureKind } from './upstream-failure.ts';

export type UpstreamEvent =
  /** One call for a mint ended. `status`: upstream's, or `null` without a response. */
  | {
      readonly type: 'attempt';
      readonly outcome: 'token' | ProblemCode;
      readonly status: number | null;
      readonly durationMs: number;
    }
  /** A call of which nothing was sent is made again. */
  | { readonly type: 'retry'; readonly kind: FailureKind; readonly code: string }
  | { readonly type: 'breaker'; readonly state: BreakerState }
  /** A mint was refused without asking upstream: the circuit is open, or it would not have been done in time. */
  | { readonly type: 'shed'; readonly reason: 'breaker' | 'queue' }
  /** An alarm: Cartesia rejects this key. `position` is its place in the configuration, from 1. */
  | { readonly type: 'key_rejected'; readonly position: number; readonly status: number; readonly keysWorking: number };
