// Who is shut out, known to every replica at once: each holds the whole list, hears of changes, and looks every second besides.
import { Problem } from '../errors/problems.ts';
import { revocationKey } from '../store/revocation-key.ts';
import type { Revocation } from '../store/revocations.ts';
import type { Store } from '../store/store.ts';
import type { LimitObserver } from './limit-event.ts';

/** Whoever is asked about: a principal, as far as revocation looks at it. */
export interface Caller {
  readonly client: string;
  readonly subject: string;
  readonly method: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

export interface Revocations {
  /**
   * Costs no round trip.
   * @throws Problem `token_revoked`; `store_unavailable` where nobody can say whether it is
   */
  check(caller: Caller): void;
  /**
   * For whoever was checked and is about to be carried: it may have waited meanwhile. Nobody is refused for what cannot be said now.
   * @throws Problem `token_revoked`
   */
  checkAgain(caller: Caller): void;
  /** For what runs already, which goes on while nobody can say: `null` = it is not shut out as far as is known. */
  refusalOf(caller: Caller): Problem | null;
  /** Resolves when the list is known for the first time. */
  readonly known: Promise<void>;
  /** What holds, as this replica knows it. */
  list(): readonly Revocation[];
  add(one: Revocation): Promise<void>;
  /** @returns whether it was revoked */
  remove(one: Revocation): Promise<boolean>;
  /** Told after each change of the list: whoever is shut out now is to be found and stopped. */
  onChange(tell: () => void): void;
  close(): void;
}

/** A change whose word was lost is found within this. Milliseconds. */
const LOOK_MS = 1_000;
/** Looks in a row that may fail before the list is no longer believed: a store may be reached, and not tell this. */
const FAILED_LOOKS_MAX = 3;
const RETRY_SECONDS = 1;

export interface RevocationsOptions {
  readonly store: Store;
  readonly onEvent: LimitObserver;
}

export function createRevocations({ store, onEvent }: RevocationsOptions): Revocations {
  const { revocations } = store;
  const tellers: (() => void)[] = [];
  let list: readonly Revocation[] = [];
  let keys: ReadonlySet<string> = new Set();
  let version: string | null = null;
  /** In memory the list begins empty, and is. */
  let isKnown = !store.isShared;
  let loading: Promise<void> | null = null;
  let isStale = false;
  let failedLooks = 0;
  const { promise: known, resolve: learn } = Promise.withResolvers<void>();
  if (isKnown) learn();

  async function load(): Promise<void> {
    do {
      isStale = false;
      const now = await revocations.version(); // before the list: what changes in between is loaded again
      const loaded = await revocations.list();
      list = loaded;
      keys = new Set(loaded.map(revocationKey));
      version = now;
      isKnown = true;
      learn();
    } while (isStale);
    for (const tell of tellers) tell();
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
    try {
      if ((await revocations.version()) !== version) await refresh();
      failedLooks = 0;
    } catch {
      failedLooks += 1; // `check` asks the store's state itself
    }
  };
  const renew = (): void => void refresh().catch(() => {});
  store.listen({ onRevocations: renew, onRenewed: renew });
  const timer = store.isShared ? setInterval(() => void look(), LOOK_MS).unref() : null;

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
      if (!isKnown || failedLooks >= FAILED_LOOKS_MAX || store.state !== 'up') {
        throw new Problem('store_unavailable', undefined, { retryAfterSeconds: RETRY_SECONDS });
      }
      checkAgain(caller);
    },
    checkAgain,
    refusalOf,
    known,
    list: () => list,
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
