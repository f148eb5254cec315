// Asks for, holds and gives back one replica's leases of one kind.
import { LiveList } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { LeaseAnswer, LeaseAsk, LeaseKind, PoolRules, PoolView } from '../store/lease-rules.ts';
import type { MaybePromise } from '../store/maybe-promise.ts';
import type { LeasePool } from '../store/store.ts';
import { mayHaveBeenDone } from '../store/unanswered.ts';
import { HeldLease, type Lease, type LeaseKeeper, type LeaseRequest, type LeaseTaker } from './lease.ts';
import type { LeaseShare } from './lease-shares.ts';
import { LeaseWaits, type Waiting } from './lease-waits.ts';
import type { LeaseOutcome, LimitObserver } from './limit-event.ts';

export interface LeaseDeskOptions {
  readonly kind: LeaseKind;
  readonly pool: LeasePool;
  readonly rules: PoolRules;
  /** Unique among replicas. */
  readonly replica: string;
  readonly onEvent: LimitObserver;
}

/** How many leases a client app holds and waits for at this replica. */
export interface LeaseLoad {
  readonly kind: LeaseKind;
  readonly client: string;
  readonly held: number;
  readonly waiting: number;
}

/** The state of one ask that was not granted at once. */
interface Course {
  isCancelled: boolean;
  hasWaited: boolean;
  lease: Lease | null;
}

/** Most ids in one call: the store serves nobody else meanwhile. */
const NAMED_MAX = 500;
const RETRY_GUESS_MS = 1_000;

export class LeaseDesk {
  readonly #kind: LeaseKind;
  readonly #pool: LeasePool;
  readonly #rules: PoolRules;
  readonly #replica: string;
  readonly #onEvent: LimitObserver;
  readonly #held = new LiveList<HeldLease>();
  readonly #waits = new LeaseWaits({
    onLook: () => void this.#look([], this.#waits.ids()),
    onLate: (waiting) => void this.#giveUp(waiting),
  });
  readonly #keeper: LeaseKeeper = {
    giveBack: (lease) => {
      this.#held.delete(lease);
      void this.#release([lease.id]);
    },
    refusedUpstream: () => {
      this.#onEvent({ type: 'refused_upstream', kind: this.#kind });
      this.#pool.lower(this.#rules).catch(() => {}); // the next refusal reports it again
    },
  };
  /** Ids to release again: of leases given back, or asked for, where the store's answer was not received. */
  readonly #owed = new Set<string>();
  #woken: string[] = [];
  #asked = 0;

  constructor({ kind, pool, rules, replica, onEvent }: LeaseDeskOptions) {
    this.#kind = kind;
    this.#pool = pool;
    this.#rules = rules;
    this.#replica = replica;
    this.#onEvent = onEvent;
  }

  /** The account's limit; `null` = none. */
  get limit(): number | null {
    return this.#rules.limit;
  }

  /** Leases held or waited for. */
  get open(): number {
    return this.#held.size + this.#waits.size;
  }

  load(clients: Iterable<string>): readonly LeaseLoad[] {
    const loads = new Map([...clients].map((client) => [client, { kind: this.#kind, client, held: 0, waiting: 0 }]));
    for (const { client } of this.#held.all()) {
      const load = loads.get(client);
      if (load !== undefined) load.held += 1;
    }
    for (const { client } of this.#waits.asks()) {
      const load = loads.get(client);
      if (load !== undefined) load.waiting += 1;
    }
    return [...loads.values()];
  }

  ask(taker: LeaseTaker, share: LeaseShare, waitMs: number): LeaseRequest {
    this.#asked += 1;
    const id = `${this.#replica}/${this.#asked}`;
    const { client, subject } = taker;
    const { clientMax, subjectMax, weight } = share;
    const ask: LeaseAsk = { id, client, subject, owner: this.#replica, clientMax, subjectMax, weight, waitMs };
    const startedMs = performance.now();
    const answer = this.#pool.acquire(this.#rules, ask);
    if (answer instanceof Promise || answer.outcome !== 'granted') return this.#pending(ask, answer, startedMs);
    this.#onEvent({ type: 'lease', kind: this.#kind, client, outcome: 'granted', waitedMs: 0 });
    const lease = this.#hold(ask);
    return { granted: lease, cancel: () => lease.release() };
  }

  /** The store reports that a wait may be over. Reports that arrive together are checked in one call. */
  async wake(id: string): Promise<void> {
    if (this.#waits.find(id) === undefined) return;
    this.#woken.push(id);
    if (this.#woken.length > 1) return;
    await Promise.resolve();
    const ids = this.#woken;
    this.#woken = [];
    await this.#look([], ids);
  }

  /** The heartbeat: confirms what is held, asks what became of what is waited for, and pays what is owed. Never rejects. */
  async beat(): Promise<void> {
    const held = this.#held.all();
    await this.#look(held.slice(0, NAMED_MAX), this.#waits.ids());
    for (let from = NAMED_MAX; from < held.length; from += NAMED_MAX)
      await this.#look(held.slice(from, from + NAMED_MAX), []);
    await this.#pay();
  }

  /** Ends all waits with this Problem. */
  refuseWaits(problem: Problem): void {
    for (const id of this.#waits.ids()) this.#abandon(id, problem);
  }

  view(): Promise<PoolView> {
    return this.#pool.view(this.#rules);
  }

  async close(): Promise<void> {
    for (const id of this.#waits.ids()) this.#abandon(id);
    for (const held of this.#held.all()) {
      this.#held.delete(held);
      this.#owed.add(held.id);
    }
    await this.#pay();
  }

  /** Nothing was free at once, or the store has not answered yet. */
  #pending(ask: LeaseAsk, answer: MaybePromise<LeaseAnswer>, startedMs: number): LeaseRequest {
    const course: Course = { isCancelled: false, hasWaited: false, lease: null };
    return {
      granted: this.#observed(ask, answer, course, startedMs),
      cancel: () => {
        course.isCancelled = true;
        course.lease?.release();
        this.#abandon(ask.id);
      },
    };
  }

  async #observed(
    ask: LeaseAsk,
    answer: MaybePromise<LeaseAnswer>,
    course: Course,
    startedMs: number,
  ): Promise<Lease | null> {
    let outcome: LeaseOutcome = 'left';
    try {
      const lease = await this.#granted(ask, answer, course, startedMs);
      if (lease === null) return null;
      if (course.isCancelled) {
        lease.release(); // cancelled between the grant and this turn of the promise
        return null;
      }
      course.lease = lease;
      outcome = course.hasWaited ? 'waited' : 'granted';
      return lease;
    } catch (error) {
      outcome = refusalOf(error, course.hasWaited || ask.waitMs <= 0);
      throw error;
    } finally {
      const waitedMs = performance.now() - startedMs;
      this.#onEvent({ type: 'lease', kind: this.#kind, client: ask.client, outcome, waitedMs });
    }
  }

  async #granted(
    ask: LeaseAsk,
    promised: MaybePromise<LeaseAnswer>,
    course: Course,
    startedMs: number,
  ): Promise<Lease | null> {
    let answer: LeaseAnswer;
    try {
      answer = await promised;
    } catch (error) {
      if (mayHaveBeenDone(error)) this.#owed.add(ask.id);
      throw error;
    }
    if (answer.outcome === 'refused') throw limited(answer.retryAfterMs);
    if (course.isCancelled) {
      void this.#release([ask.id]);
      return null;
    }
    if (answer.outcome === 'granted') return this.#hold(ask);
    course.hasWaited = true;
    return this.#waits.wait(ask, startedMs + ask.waitMs);
  }

  /** The wait is over. Releases the ask, so that a lease granted at this very moment is not lost, and learns when to try again. */
  async #giveUp(waiting: Waiting): Promise<void> {
    this.#waits.leave(waiting);
    waiting.settle(limited(await this.#release([waiting.ask.id])));
  }

  #abandon(id: string, result: Problem | null = null): void {
    const waiting = this.#waits.find(id);
    if (waiting === undefined) return;
    waiting.settle(result);
    void this.#release([id]);
  }

  async #look(held: readonly HeldLease[], waiting: readonly string[]): Promise<void> {
    let answer: Awaited<ReturnType<LeasePool['beat']>>;
    try {
      answer = await this.#pool.beat(this.#rules, this.#replica, held, waiting);
    } catch {
      return; // another heartbeat follows; what is held goes on, and each wait has its own end
    }
    // Leases that ended while the call was under way have been entered again by it.
    const ended = held.filter(({ place }) => place === -1).map(({ id }) => id);
    if (ended.length > 0) void this.#release(ended);
    for (const id of answer.granted) {
      const one = this.#waits.find(id);
      if (one !== undefined) one.settle(this.#hold(one.ask)); // otherwise whatever ended the wait gives it back
    }
    for (const id of answer.lost) void this.#askAgain(id);
  }

  /** The store does not know a wait that is not over, because it started afresh in between. */
  async #askAgain(id: string): Promise<void> {
    const waiting = this.#waits.find(id);
    if (waiting === undefined) return;
    const waitMs = Math.floor(waiting.untilMs - performance.now());
    if (waitMs <= 0) return;
    try {
      const answer = await this.#pool.acquire(this.#rules, { ...waiting.ask, waitMs });
      if (answer.outcome === 'queued') return;
      if (waiting.place === -1) {
        if (answer.outcome === 'granted' && !this.#holds(id)) void this.#release([id]);
      } else if (answer.outcome === 'granted') waiting.settle(this.#hold(waiting.ask));
      else waiting.settle(limited(answer.retryAfterMs));
    } catch {
      // The next look asks again. If the lease was granted and the answer lost, the end of the wait gives it back.
    }
  }

  #hold(ask: LeaseAsk): HeldLease {
    const held = new HeldLease(ask, this.#keeper);
    this.#held.add(held);
    return held;
  }

  /** @returns in how many milliseconds a new ask may succeed. Never rejects. */
  #release(ids: readonly string[]): MaybePromise<number> {
    const answer = this.#pool.release(this.#rules, ids);
    return answer instanceof Promise ? this.#heard(ids, answer) : answer;
  }

  async #heard(ids: readonly string[], answer: Promise<number>): Promise<number> {
    try {
      const retryAfterMs = await answer;
      for (const id of ids) this.#owed.delete(id);
      return retryAfterMs;
    } catch {
      for (const id of ids) this.#owed.add(id);
      return RETRY_GUESS_MS;
    }
  }

  async #pay(): Promise<void> {
    const owed = [...this.#owed];
    for (let from = 0; from < owed.length; from += NAMED_MAX) await this.#release(owed.slice(from, from + NAMED_MAX));
  }

  #holds(id: string): boolean {
    return this.#held.find((held) => held.id === id) !== undefined;
  }
}

function limited(retryAfterMs: number): Problem {
  return new Problem('concurrency_limited', undefined, { retryAfterSeconds: retryAfterMs / 1000 });
}

function refusalOf(error: unknown, isWaitOver: boolean): LeaseOutcome {
  if (error instanceof Problem && error.code === 'draining') return 'left';
  if (!(error instanceof Problem) || error.code !== 'concurrency_limited') return 'store_unavailable';
  return isWaitOver ? 'wait_over' : 'queue_full';
}
