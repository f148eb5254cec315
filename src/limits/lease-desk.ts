// Where one replica's leases of one kind are asked for, held and given back.
import { type Listed, LiveList } from '../collections/live-list.ts';
import { Problem } from '../errors/problems.ts';
import type { LeaseAsk, LeaseHolder, LeaseKind, PoolRules, PoolView } from '../store/lease-rules.ts';
import type { LeasePool } from '../store/store.ts';
import type { LeaseShare } from './lease-shares.ts';
import type { LeaseOutcome, LimitObserver } from './limit-event.ts';

/** One unit of upstream concurrency, ours until it is released. */
export interface Lease {
  /** Safe to call twice. */
  release(): void;
  /** Upstream refused in spite of it: fewer are given out for a while. */
  refusedUpstream(): void;
}

export interface LeaseRequest {
  /**
   * `null` = cancelled before it was granted.
   * Rejects with the Problem `concurrency_limited` when nothing became free in time, `store_unavailable` when nobody could say.
   */
  readonly granted: Promise<Lease | null>;
  /** Whoever asked is gone. What was granted is released. */
  cancel(): void;
}

export interface LeaseDeskOptions {
  readonly kind: LeaseKind;
  readonly pool: LeasePool;
  readonly rules: PoolRules;
  /** Unique among replicas. */
  readonly replica: string;
  readonly onEvent: LimitObserver;
}

/** How many a client app has here. */
export interface LeaseLoad {
  readonly kind: LeaseKind;
  readonly client: string;
  readonly held: number;
  readonly waiting: number;
}

interface Held extends LeaseHolder, Listed {}

interface Waiting extends Listed {
  readonly ask: LeaseAsk;
  readonly untilMs: number;
  readonly timer: NodeJS.Timeout;
  readonly settle: (lease: Lease | null | Problem) => void;
}

/** What becomes of one question. */
interface Course {
  isCancelled: boolean;
  hasWaited: boolean;
}

/** What is waited for is also looked at this often: a word of the store's may have been lost. */
const POLL_MS = 250;

/** In one call: the store serves nobody else meanwhile. */
const CONFIRMED_MAX = 500;

export class LeaseDesk {
  readonly #kind: LeaseKind;
  readonly #pool: LeasePool;
  readonly #rules: PoolRules;
  readonly #replica: string;
  readonly #onEvent: LimitObserver;
  readonly #held = new LiveList<Held>();
  readonly #waiting = new LiveList<Waiting>();
  /** Given back, but the store did not hear it; or asked for, and its answer was not heard. */
  readonly #owed = new Set<string>();
  #woken: string[] = [];
  #poll: NodeJS.Timeout | null = null;
  #asked = 0;
  #isClosed = false;

  constructor({ kind, pool, rules, replica, onEvent }: LeaseDeskOptions) {
    this.#kind = kind;
    this.#pool = pool;
    this.#rules = rules;
    this.#replica = replica;
    this.#onEvent = onEvent;
  }

  /** Of the account; `null` = none. */
  get limit(): number | null {
    return this.#rules.limit;
  }

  /** Held or waited for. */
  get open(): number {
    return this.#held.size + this.#waiting.size;
  }

  load(clients: Iterable<string>): readonly LeaseLoad[] {
    const loads = new Map([...clients].map((client) => [client, { kind: this.#kind, client, held: 0, waiting: 0 }]));
    for (const { client } of this.#held.all()) {
      const load = loads.get(client);
      if (load !== undefined) load.held += 1;
    }
    for (const { ask } of this.#waiting.all()) {
      const load = loads.get(ask.client);
      if (load !== undefined) load.waiting += 1;
    }
    return [...loads.values()];
  }

  ask(taker: { readonly client: string; readonly subject: string }, share: LeaseShare, waitMs: number): LeaseRequest {
    this.#asked += 1;
    const id = `${this.#replica}/${this.#asked.toString(36)}`;
    const { client, subject } = taker;
    const { clientMax, subjectMax, weight } = share;
    const ask: LeaseAsk = { id, client, subject, owner: this.#replica, clientMax, subjectMax, weight, waitMs };
    const course: Course = { isCancelled: false, hasWaited: false };
    let lease: Lease | null = null;
    return {
      granted: this.#observed(ask, course).then((got) => {
        lease = got;
        return got;
      }),
      cancel: () => {
        course.isCancelled = true;
        lease?.release();
        this.#abandon(id);
      },
    };
  }

  /** The store says that a wait may be over. What comes in one turn of the loop is asked about together. */
  async wake(id: string): Promise<void> {
    if (this.#waitingFor(id) === undefined) return;
    this.#woken.push(id);
    if (this.#woken.length > 1) return;
    await Promise.resolve();
    const ids = this.#woken;
    this.#woken = [];
    await this.#look([], ids);
  }

  /** Confirms what is held, asks what became of what is waited for, and pays what is owed. Never rejects. */
  async beat(): Promise<void> {
    if (this.#isClosed) return;
    const held = this.#held.all();
    await this.#look(held.slice(0, CONFIRMED_MAX), this.#waitingIds());
    for (let from = CONFIRMED_MAX; from < held.length; from += CONFIRMED_MAX)
      await this.#look(held.slice(from, from + CONFIRMED_MAX), []);
    await this.#pay();
  }

  view(): Promise<PoolView> {
    return this.#pool.view(this.#rules);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const id of this.#waitingIds()) this.#abandon(id);
    for (const held of this.#held.all()) {
      this.#held.delete(held);
      this.#owed.add(held.id);
    }
    await this.#pay();
  }

  async #observed(ask: LeaseAsk, course: Course): Promise<Lease | null> {
    const startedMs = performance.now();
    let outcome: LeaseOutcome = 'left';
    try {
      const lease = await this.#acquire(ask, course, startedMs);
      if (lease !== null) outcome = course.hasWaited ? 'waited' : 'granted';
      return lease;
    } catch (error) {
      outcome = refusalOf(error, course.hasWaited || ask.waitMs <= 0);
      throw error;
    } finally {
      const waitedMs = performance.now() - startedMs;
      this.#onEvent({ type: 'lease', kind: this.#kind, client: ask.client, outcome, waitedMs });
    }
  }

  async #acquire(ask: LeaseAsk, course: Course, startedMs: number): Promise<Lease | null> {
    let answer: Awaited<ReturnType<LeasePool['acquire']>>;
    try {
      answer = await this.#pool.acquire(this.#rules, ask);
    } catch (error) {
      this.#owed.add(ask.id); // it may have been granted all the same
      throw error;
    }
    if (answer.outcome === 'refused') throw limited(answer.retryAfterMs);
    if (course.isCancelled) {
      this.#giveBack(ask.id);
      return null;
    }
    if (answer.outcome === 'granted') return this.#hold(ask);
    course.hasWaited = true;
    return this.#wait(ask, startedMs + ask.waitMs);
  }

  #wait(ask: LeaseAsk, untilMs: number): Promise<Lease | null> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        ask,
        untilMs,
        timer: setTimeout(() => void this.#giveUp(waiting), Math.max(0, untilMs - performance.now())),
        settle: (result) => {
          clearTimeout(waiting.timer);
          this.#waiting.delete(waiting);
          if (result instanceof Problem) reject(result);
          else resolve(result);
        },
        place: -1,
      };
      this.#waiting.add(waiting);
      this.#poll ??= setInterval(() => this.#pollWaiting(), POLL_MS);
    });
  }

  #pollWaiting(): void {
    if (this.#waiting.size > 0) void this.#look([], this.#waitingIds());
    else if (this.#poll !== null) {
      clearInterval(this.#poll);
      this.#poll = null;
    }
  }

  /** The wait is over. The store is told, so that a lease granted in this very moment is not lost, and says when to come again. */
  async #giveUp(waiting: Waiting): Promise<void> {
    this.#waiting.delete(waiting);
    waiting.settle(limited(await this.#release([waiting.ask.id])));
  }

  #abandon(id: string): void {
    const waiting = this.#waitingFor(id);
    if (waiting === undefined) return;
    waiting.settle(null);
    this.#giveBack(id);
  }

  async #look(held: readonly Held[], waiting: readonly string[]): Promise<void> {
    let beat: Awaited<ReturnType<LeasePool['beat']>>;
    try {
      beat = await this.#pool.beat(this.#rules, this.#replica, held, waiting);
    } catch {
      return; // the next beat comes; what is held goes on, what waits has its own end
    }
    // What ended while the question was under way has been entered again by it.
    const ended = held.filter(({ place }) => place === -1).map(({ id }) => id);
    if (ended.length > 0) void this.#release(ended);
    for (const id of beat.granted) {
      const one = this.#waitingFor(id);
      if (one !== undefined) one.settle(this.#hold(one.ask));
      else if (!this.#holds(id)) this.#giveBack(id);
    }
    for (const id of beat.lost) void this.#askAgain(id);
  }

  /** The store knows nothing of a wait that is not over: it began anew in between. */
  async #askAgain(id: string): Promise<void> {
    const waiting = this.#waitingFor(id);
    if (waiting === undefined) return;
    const waitMs = Math.floor(waiting.untilMs - performance.now());
    if (waitMs <= 0) return;
    try {
      const answer = await this.#pool.acquire(this.#rules, { ...waiting.ask, waitMs });
      if (answer.outcome === 'queued') return;
      if (waiting.place === -1) {
        if (answer.outcome === 'granted' && !this.#holds(id)) this.#giveBack(id);
      } else if (answer.outcome === 'granted') waiting.settle(this.#hold(waiting.ask));
      else waiting.settle(limited(answer.retryAfterMs));
    } catch {
      this.#owed.add(id); // it is asked for again at the next look, or paid back
    }
  }

  #hold({ id, client, subject }: LeaseAsk): Lease {
    this.#owed.delete(id);
    const held: Held = { id, client, subject, place: -1 };
    this.#held.add(held);
    return {
      release: () => {
        if (held.place === -1) return;
        this.#held.delete(held);
        this.#giveBack(id);
      },
      refusedUpstream: () => {
        this.#onEvent({ type: 'refused_upstream', kind: this.#kind });
        this.#pool.lower(this.#rules).catch(() => {}); // the next refusal says it again
      },
    };
  }

  #giveBack(id: string): void {
    void this.#release([id]);
  }

  /** @returns when asking anew may help, milliseconds */
  async #release(ids: readonly string[]): Promise<number> {
    try {
      const retryAfterMs = await this.#pool.release(this.#rules, ids);
      for (const id of ids) this.#owed.delete(id);
      return retryAfterMs;
    } catch {
      for (const id of ids) this.#owed.add(id);
      return RETRY_GUESS_MS;
    }
  }

  async #pay(): Promise<void> {
    if (this.#owed.size === 0) return;
    const kept = new Set([...this.#held.all().map(({ id }) => id), ...this.#waitingIds()]);
    const owed = [...this.#owed].filter((id) => !kept.has(id));
    if (owed.length > 0) await this.#release(owed);
  }

  /** Few wait, and their number is bounded: a walk is cheaper than a table that is filled and emptied all the time. */
  #waitingFor(id: string): Waiting | undefined {
    return this.#waiting.find(({ ask }) => ask.id === id);
  }

  #waitingIds(): readonly string[] {
    return this.#waiting.all().map(({ ask }) => ask.id);
  }

  #holds(id: string): boolean {
    return this.#held.find((held) => held.id === id) !== undefined;
  }
}

const RETRY_GUESS_MS = 1_000;

function limited(retryAfterMs: number): Problem {
  return new Problem('concurrency_limited', undefined, { retryAfterSeconds: retryAfterMs / 1000 });
}

function refusalOf(error: unknown, isWaitOver: boolean): LeaseOutcome {
  if (!(error instanceof Problem) || error.code !== 'concurrency_limited') return 'store_unavailable';
  return isWaitOver ? 'wait_over' : 'queue_full';
}
