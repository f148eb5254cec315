// The currently known keys of one issuer, kept fresh without letting callers drive the traffic to it.
import { FetchFailure } from './json-fetcher.ts';
import type { KeySetSource } from './key-set-source.ts';
import { importVerificationKeys, type VerificationKey } from './verification-key.ts';

export type KeyLookup = VerificationKey | 'unknown' | 'ambiguous';

export interface KeySet {
  /** The key for an algorithm and a key id; without an id, the only key there is for the algorithm. */
  find(alg: string, kid: string | undefined): KeyLookup;
  /** Whether the issuer still publishes the key, as far as is known, and the set is not stale. */
  trusts(key: VerificationKey): boolean;
  /**
   * Fetches the set for a caller whose token newer keys might verify, unless the cool-down forbids it; concurrent callers share one
   * fetch. The very first fetch starts no cool-down, so that a key added right after it is still found. Never rejects.
   * @returns `null` when there is nothing to wait for
   */
  refresh(): Promise<void> | null;
  /** Makes the first fetch before any caller needs it; if a caller was faster, no further one. */
  warm(): Promise<void>;
  /** Whether the last fetch succeeded: a key that is not here then does not exist. */
  isCurrent(): boolean;
  close(): void;
}

/** `isNews`: the outcome differs from that of the last fetch; for a success, it is the first ever or the first after a failure. */
export type KeySetEvent =
  | { readonly event: 'key_set_loaded'; readonly issuer: string; readonly keys: number; readonly isNews: boolean }
  | {
      readonly event: 'key_set_failed';
      readonly issuer: string;
      readonly reason: string;
      /** Whether older keys stay in use. If not, no token of this issuer can be checked. */
      readonly areKeysKnown: boolean;
      readonly isNews: boolean;
    };

export interface KeySetOptions {
  /** For events only. */
  readonly issuer: string;
  readonly source: KeySetSource;
  readonly onEvent?: (event: KeySetEvent) => void;
  /** Monotonic milliseconds. */
  readonly monotonicNow?: () => number;
  readonly timing?: Partial<KeySetTiming>;
}

/** Milliseconds. */
export interface KeySetTiming {
  /** Total time for one fetch, discovery included. */
  readonly deadlineMs: number;
  /** Between two fetches that callers cause. */
  readonly cooldownMs: number;
  /** Between two fetches in the background: while the issuer can be reached, a key it drops is trusted no longer than this. */
  readonly refreshMs: number;
  /** How long known keys serve while the issuer cannot be reached. */
  readonly staleMs: number;
  /** First pause after a failure; it doubles up to the cool-down. */
  readonly retryMs: number;
}

export const KEY_SET_TIMING: KeySetTiming = {
  deadlineMs: 5_000,
  cooldownMs: 30_000,
  refreshMs: 600_000,
  staleMs: 86_400_000,
  retryMs: 1_000,
};

/** Fetches nothing before the first `refresh()` or `warm()`; then refreshes itself on a timer that does not keep the process alive. */
export function createKeySet(options: KeySetOptions): KeySet {
  const { issuer, source, onEvent, monotonicNow = () => performance.now() } = options;
  const timing = { ...KEY_SET_TIMING, ...options.timing };
  let keys: readonly VerificationKey[] = [];
  let trusted: ReadonlySet<VerificationKey> = new Set();
  let index: ReadonlyMap<string, KeyLookup> = new Map();
  let staleAt = Number.NEGATIVE_INFINITY;
  let nextAttemptAt = Number.NEGATIVE_INFINITY;
  let nextDemandAt = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let isFirst = true;
  /** How the last fetch ended, for `isNews`. */
  let lastEnd = '';
  let pending: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  const closing = new AbortController();

  const isStale = () => monotonicNow() >= staleAt;

  function keep(fetched: readonly VerificationKey[]): void {
    // The same key stays the same object, so tokens verified with it stay verified; those of a dropped key do not.
    const before = new Map(keys.map((key) => [key.id, key]));
    // Some issuers list a key twice; it counts once.
    const distinct = new Map(fetched.map((key) => [key.id, before.get(key.id) ?? key]));
    keys = [...distinct.values()];
    trusted = new Set(keys);
    index = indexKeys(keys);
    staleAt = monotonicNow() + timing.staleMs;
    failures = 0;
  }

  async function load(): Promise<void> {
    clearTimeout(timer);
    const event = await attempt();
    if (closing.signal.aborted) return;
    schedule();
    onEvent?.(event);
  }

  async function attempt(): Promise<KeySetEvent> {
    try {
      const fetched = importVerificationKeys(await source(deadline(timing.deadlineMs, closing.signal)));
      // Keys are never replaced by none: an issuer without keys could not sign, so an empty set is a mistake.
      if (fetched.length === 0) throw new FetchFailure('no_usable_key');
      keep(fetched);
      return { event: 'key_set_loaded', issuer, keys: keys.length, isNews: isNews('loaded') };
    } catch (error) {
      failures += 1;
      const reason = error instanceof FetchFailure ? error.reason : 'failed';
      const areKeysKnown = !isStale();
      return { event: 'key_set_failed', issuer, reason, areKeysKnown, isNews: isNews(`${reason} ${areKeysKnown}`) };
    }
  }

  function isNews(end: string): boolean {
    const isOther = end !== lastEnd;
    lastEnd = end;
    return isOther;
  }

  function schedule(): void {
    const pause = Math.min(timing.cooldownMs, timing.retryMs * 2 ** (failures - 1));
    nextAttemptAt = failures === 0 ? Number.NEGATIVE_INFINITY : monotonicNow() + pause;
    timer = setTimeout(fetchNow, failures === 0 ? timing.refreshMs : pause).unref();
  }

  function fetchNow(): Promise<void> {
    isFirst = false;
    pending ??= load().finally(() => {
      pending = null;
    });
    return pending;
  }

  return {
    find: (alg, kid) => (isStale() ? 'unknown' : (index.get(indexKey(alg, kid)) ?? 'unknown')),
    trusts: (key) => trusted.has(key) && !isStale(),
    refresh() {
      if (pending !== null) return pending;
      const now = monotonicNow();
      if (now < nextDemandAt || now < nextAttemptAt || closing.signal.aborted) return null;
      if (!isFirst) nextDemandAt = now + timing.cooldownMs;
      return fetchNow();
    },
    warm: () => (closing.signal.aborted || !isFirst ? (pending ?? Promise.resolve()) : fetchNow()),
    isCurrent: () => failures === 0 && !isStale(),
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };
}

/** Indexes keys by algorithm and id, and by algorithm alone. If two keys share an entry, which one is meant would be a guess. */
function indexKeys(keys: readonly VerificationKey[]): ReadonlyMap<string, KeyLookup> {
  const index = new Map<string, KeyLookup>();
  for (const key of keys) {
    const names = new Set([indexKey(key.alg, key.kid), indexKey(key.alg, undefined)]);
    for (const name of names) index.set(name, index.has(name) ? 'ambiguous' : key);
  }
  return index;
}

/** Algorithm names contain no space, so the result is unambiguous. */
function indexKey(alg: string, kid: string | undefined): string {
  return kid === undefined ? alg : `${alg} ${kid}`;
}

function deadline(ms: number, closing: AbortSignal): AbortSignal {
  return AbortSignal.any([AbortSignal.timeout(ms), closing]);
}
