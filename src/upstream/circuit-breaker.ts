// When upstream is down, fails callers at once instead of letting each wait for the deadline, and keeps load off upstream while it
// recovers.

export type BreakerState = 'closed' | 'open' | 'half-open';

/** Permission for one call; names the period in which it was given, so that a late result of an earlier period changes nothing. */
export type Pass = number;

export interface CircuitBreaker {
  /** `half-open` as soon as the next call may be the probe, even before anyone calls. */
  readonly state: BreakerState;
  /** `null` = refused: the circuit is open, or half open with its one probe under way. */
  enter(): Pass | null;
  /** Upstream is alive, whatever it answered. */
  succeeded(pass: Pass): void;
  /** Upstream was unreachable, broken or too slow. */
  failed(pass: Pass): void;
  /** The call ended without having asked upstream. */
  abandoned(pass: Pass): void;
  /** How long a refused caller should wait, at least 1. */
  retryAfterSeconds(): number;
}

export interface CircuitBreakerOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** 0 to 1: spreads the probes of many replicas. */
  readonly random: () => number;
  readonly onChange?: (state: BreakerState) => void;
  /** Failures in a row that open the circuit. */
  readonly failuresToOpen?: number;
  /** First wait before a probe; doubles with each probe that fails, up to `maxOpenMs`. */
  readonly openMs?: number;
  readonly maxOpenMs?: number;
}

/** Under load, an outage produces this many failures within one deadline; a quiet replica keeps asking through a bad minute. */
export const FAILURES_TO_OPEN = 20;

export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { now, random, onChange, failuresToOpen = FAILURES_TO_OPEN, openMs = 1_000, maxOpenMs = 30_000 } = options;
  let state: BreakerState = 'closed';
  let period = 0;
  let failuresInRow = 0;
  let waitMs = openMs;
  let openUntilMs = 0;

  function become(next: BreakerState): void {
    state = next;
    period += 1;
    failuresInRow = 0;
    onChange?.(next);
  }

  function open(): void {
    // Up to a quarter longer: replicas that failed together do not probe together.
    openUntilMs = now() + waitMs * (1 + random() / 4);
    become('open');
  }

  return {
    get state() {
      return state === 'open' && now() >= openUntilMs ? 'half-open' : state;
    },
    enter() {
      if (state === 'closed') return period;
      if (state === 'half-open' || now() < openUntilMs) return null;
      become('half-open');
      return period;
    },
    succeeded(pass) {
      if (pass !== period) return;
      failuresInRow = 0;
      if (state !== 'half-open') return;
      waitMs = openMs;
      become('closed');
    },
    failed(pass) {
      if (pass !== period) return;
      failuresInRow += 1;
      if (state === 'half-open') waitMs = Math.min(maxOpenMs, waitMs * 2);
      else if (failuresInRow < failuresToOpen) return;
      open();
    },
    abandoned(pass) {
      // For as long as before: this says nothing about upstream.
      if (pass === period && state === 'half-open') open();
    },
    retryAfterSeconds() {
      return Math.max(1, Math.ceil((openUntilMs - now()) / 1_000));
    },
  };
}
