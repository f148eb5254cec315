// Decides who is shut out. Every replica holds the whole list of revocations, is told of changes, and also looks every second.
import { Problem } from '../errors/problems.ts';
import { revocationKey } from '../store/revocation-key.ts';
import type { Revocation } from '../store/revocations.ts';
import type { Store } from '../store/store.ts';
import type { LimitObserver } from './limit-event.ts';

/** The parts of a principal that revocation looks at. */
export interface Caller {
  readonly client: string;
  readonly subject: string;
  readonly method: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface Revocations {
  /**
   * Costs no round trip.
   * @throws Problem `token_revoked`; `store_unavailable` if the list is not known or may be out of date
   */
  check(caller: Caller): void;
  /**
   * Checks a caller once more that passed `check` and has since waited for its body or its turn. Passes if the store is away.
   * @throws Problem `token_revoked`
   */
  checkAgain(caller: Caller): void;
  /** The same for what is already running; `null` = not shut out as far as is known. */
  refusalOf(caller: Caller): Problem | null;
  /** Resolves when the list is known for the first time. */
  readonly known: Promise<void>;
  /** The revocations in force, as this replica knows them. */
  list(): readonly Revocation[];
  add(one: Revocation): Promise<void>;
  /** @returns whether it was revoked */
  remove(one: Revocation): Promise<boolean>;
  /** `tell` is called after each change of the list, to find and stop whoever is now shut out. */
  onChange(tell: () => void): void;
  close(): void;
}

/** A change whose message was lost is found within this. Milliseconds. */
const LOOK_MS = 1_000;
/** Looks that fail in a row before the list is no longer trusted: a store may be reachable and still not answer these. */
const FAILED_LOOKS_MAX = 3;
/**
 * A list that was not looked at for longer is not trusted either. After a standstill of the process it may be hours old, and the connection
 * by which changes would have been heard of may be dead without a sign.
 */
const LIST_MAX_AGE_MS = 5_000;
const RETRY_SECONDS = 1;

export interface RevocationsOptions {
  readonly store: Store;
  readonly onEvent: LimitObserver;
  readonly now?: () => Moment;
}

/** Both clocks: the monotonic one stands still while the machine is suspended, and the time of day may be set back. Milliseconds. */
interface Moment {
  readonly monotonic: number;
  readonly epoch: number;
}

const momentNow = (): Moment => ({ monotonic: performance.now(), epoch: Date.now() });

export function createRevocations({ store, onEvent, now = momentNow }: RevocationsOptions): Revocations {
  const { revocations } = store;
  const tellers: (() => void)[] = [];
  let list: readonly Revocation[] = [];
  let keys: ReadonlySet<string> = new Set();
  let version: string | null = null;
  /** An in-memory list starts empty and is therefore known. */
  let isKnown = !store.isShared;
  let loading: Promise<void> | null = null;
  let isStale = false;
  let isLooking = false;
  let failedLooks = 0;
  /** When the list was last known to be current. */
  let current: Moment = { monotonic: Number.NEGATIVE_INFINITY, epoch: 0 };
  const { promise: known, resolve: learn } = Promise.withResolvers<void>();
  if (isKnown) learn();

  async function load(): Promise<void> {
    do {
      isStale = false;
      const asked = now();
      const newest = await revocations.version(); // before the list: a change in between is then loaded again
      const loaded = await revocations.list();
      list = loaded;
      keys = new Set(loaded.map(revocationKey));
      version = newest;
      current = asked;
      isKnown = true;
      learn();
      for (const tell of tellers) tell(); // before it is loaded once more, which may fail
    } while (isStale);
  }
  function refresh(): Promise<void> {
    if (loading !== null) {
      isStale = true;
      return loading;
    }
    loading = load().finally(() => {
      loading = null;
    });
    return loading;
  }
  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    try {
      const asked = now();
      if ((await revocations.version()) === version) current = asked;
      else await refresh();
      failedLooks = 0;
    } catch {
      failedLooks += 1; // `check` also looks at the store's state
    } finally {
      isLooking = false;
    }
  };
  const renew = (): void => void refresh().catch(() => {});
  store.listen({ onRevocations: renew, onRenewed: renew });
  const timer = store.isShared ? setInterval(() => void look(), LOOK_MS).unref() : null;

  function isOld(): boolean {
    if (!store.isShared) return false;
    const { monotonic, epoch } = now();
    if (Math.max(monotonic - current.monotonic, epoch - current.epoch) <= LIST_MAX_AGE_MS) return false;
    void look(); // it may only be the clock that was set
    return true;
  }

  function refusalOf({ client, subject, method, claims }: Caller): Problem | null {
    if (keys.size === 0) return null;
    const token = method === 'access_token' ? claims['jti'] : undefined;
    const isToken = typeof token === 'string' && keys.has(revocationKey({ scope: 'token', token, untilMs: 0 }));
    if (isToken) return new Problem('token_revoked');
    const isShutOut =
      keys.has(revocationKey({ scope: 'everything' })) ||
      keys.has(revocationKey({ scope: 'client', client })) ||
      keys.has(revocationKey({ scope: 'subject', client, subject }));
    return isShutOut ? new Problem('token_revoked', 'The operator has shut this caller out.') : null;
  }

  function checkAgain(caller: Caller): void {
    const problem = refusalOf(caller);
    if (problem === null) return;
    onEvent({ type: 'shut_out', client: caller.client });
    throw problem;
  }

  return {
    check(caller) {
      if (!isKnown || failedLooks >= FAILED_LOOKS_MAX || store.state !== 'up' || isOld()) {
        throw new Problem('store_unavailable', undefined, { retryAfterSeconds: RETRY_SECONDS });
      }
      checkAgain(caller);
    },
    checkAgain,
    refusalOf,
    known,
    list() {
      // It is loaded again only when it changes.
      const { epoch } = now();
      return list.filter((one) => one.scope !== 'token' || one.untilMs > epoch);
    },
    async add(one) {
      await revocations.add(one);
      await refresh();
    },
    async remove(one) {
      const was = await revocations.remove(one);
      await refresh();
      return was;
    },
    onChange: (tell) => void tellers.push(tell),
    close() {
      if (timer !== null) clearInterval(timer);
    },
  };
}
