// Where one replica's leases of one kind are asked for, held and given back.
import { Problem } from '../errors/problems.ts';
import type { LeaseAsk, LeaseHolder, PoolRules, PoolView } from '../store/lease-rules.ts';
import type { LeasePool } from '../store/store.ts';
import type { LeaseShare } from './lease-shares.ts';

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

interface Waiting {
  readonly ask: LeaseAsk;
  readonly untilMs: number;
  readonly timer: NodeJS.Timeout;
  readonly settle: (lease: Lease | null | Problem) => void;
}

/** What is waited for is also looked at this often: a word of the store's may have been lost. */
const POLL_MS = 250;

export class LeaseDesk {
  readonly #pool: LeasePool;
  readonly #rules: PoolRules;
  readonly #replica: string;
  readonly #held = new Map<string, LeaseHolder>();
  readonly #waiting = new Map<string, Waiting>();
  /** Given back, but the store did not hear it; or asked for, and its answer was not heard. */
  readonly #owed = new Set<string>();
  #woken: string[] = [];
  #poll: NodeJS.Timeout | null = null;
  #asked = 0;
  #isClosed = false;

  constructor(pool: LeasePool, rules: PoolRules, replica: string) {
    this.#pool = pool;
    this.#rules = rules;
    this.#replica = replica;
  }

  get isUnlimited(): boolean {
    return this.#rules.limit === null;
  }

  /** Held or waited for. */
  get open(): number {
    return this.#held.size + this.#waiting.size;
  }

  ask(taker: { readonly client: string; readonly subject: string }, share: LeaseShare, waitMs: number): LeaseRequest {
    this.#asked += 1;
    const id = `${this.#replica}/${this.#asked.toString(36)}`;
    const { client, subject } = taker;
    const { clientMax, subjectMax, weight } = share;
    const ask: LeaseAsk = { id, client, subject, owner: this.#replica, clientMax, subjectMax, weight, waitMs };
    let isCancelled = false;
    let lease: Lease | null = null;
    const granted = this.#acquire(ask, () => isCancelled).then((got) => {
      lease = got;
      return got;
    });
    return {
      granted,
      cancel: () => {
        isCancelled = true;
        lease?.release();
        this.#abandon(id);
      },
    };
  }

  /** The store says that a wait may be over. What comes in one turn of the loop is asked about together. */
  async wake(id: string): Promise<void> {
    if (!this.#waiting.has(id)) return;
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
    await this.#look([...this.#held.values()], [...this.#waiting.keys()]);
    await this.#pay();
  }

  view(): Promise<PoolView> {
    return this.#pool.view(this.#rules);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const id of [...this.#waiting.keys()]) this.#abandon(id);
    for (const id of this.#held.keys()) this.#owed.add(id);
    this.#held.clear();
    await this.#pay();
  }

  async #acquire(ask: LeaseAsk, isCancelled: () => boolean): Promise<Lease | null> {
    const startedMs = performance.now();
    let answer: Awaited<ReturnType<LeasePool['acquire']>>;
    try {
      answer = await this.#pool.acquire(this.#rules, ask);
    } catch (error) {
      this.#owed.add(ask.id); // it may have been granted all the same
      throw error;
    }
    if (answer.outcome === 'refused') throw limited(answer.retryAfterMs);
    if (isCancelled()) {
      this.#giveBack(ask.id);
      return null;
    }
    return answer.outcome === 'granted' ? this.#hold(ask) : this.#wait(ask, startedMs + ask.waitMs);
  }

  #wait(ask: LeaseAsk, untilMs: number): Promise<Lease | null> {
    return new Promise((resolve, reject) => {
      const settle: Waiting['settle'] = (result) => {
        const waiting = this.#waiting.get(ask.id);
        clearTimeout(waiting?.timer);
        this.#waiting.delete(ask.id);
        if (result instanceof Problem) reject(result);
        else resolve(result);
      };
      const timer = setTimeout(() => void this.#giveUp(ask, settle), Math.max(0, untilMs - performance.now()));
      this.#waiting.set(ask.id, { ask, untilMs, timer, settle });
      this.#poll ??= setInterval(() => this.#pollWaiting(), POLL_MS);
    });
  }

  #pollWaiting(): void {
    if (this.#waiting.size > 0) void this.#look([], [...this.#waiting.keys()]);
    else if (this.#poll !== null) {
      clearInterval(this.#poll);
      this.#poll = null;
    }
  }

  /** The wait is over. The store is told, so that a lease granted in this very moment is not lost, and says when to come again. */
  async #giveUp(ask: LeaseAsk, settle: Waiting['settle']): Promise<void> {
    this.#waiting.delete(ask.id);
    settle(limited(await this.#release([ask.id])));
  }

  #abandon(id: string): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    waiting.settle(null);
    this.#giveBack(id);
  }

  async #look(held: readonly LeaseHolder[], waiting: readonly string[]): Promise<void> {
    let beat: Awaited<ReturnType<LeasePool['beat']>>;
    try {
      beat = await this.#pool.beat(this.#rules, this.#replica, held, waiting);
    } catch {
      return; // the next beat comes; what is held goes on, what waits has its own end
    }
    // What ended while the question was under way has been entered again by it.
    const ended = held.filter(({ id }) => !this.#held.has(id)).map(({ id }) => id);
    if (ended.length > 0) void this.#release(ended);
    for (const id of beat.granted) {
      const one = this.#waiting.get(id);
      if (one !== undefined) one.settle(this.#hold(one.ask));
      else if (!this.#held.has(id)) this.#giveBack(id);
    }
    for (const id of beat.lost) void this.#askAgain(id);
  }

  /** The store knows nothing of a wait that is not over: it began anew in between. */
  async #askAgain(id: string): Promise<void> {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    const waitMs = Math.floor(waiting.untilMs - performance.now());
    if (waitMs <= 0) return;
    try {
      const answer = await this.#pool.acquire(this.#rules, { ...waiting.ask, waitMs });
      if (answer.outcome === 'queued') return;
      if (this.#waiting.get(id) !== waiting) {
        if (answer.outcome === 'granted' && !this.#held.has(id)) this.#giveBack(id);
      } else if (answer.outcome === 'granted') waiting.settle(this.#hold(waiting.ask));
      else waiting.settle(limited(answer.retryAfterMs));
    } catch {
      this.#owed.add(id); // it is asked for again at the next look, or paid back
    }
  }

  #hold(ask: LeaseAsk): Lease {
    const { id, client, subject } = ask;
    this.#owed.delete(id);
    this.#held.set(id, { id, client, subject });
    return {
      release: () => {
        if (this.#held.delete(id)) this.#giveBack(id);
      },
      refusedUpstream: () => {
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
    const owed = [...this.#owed].filter((id) => !this.#held.has(id) && !this.#waiting.has(id));
    if (owed.length > 0) await this.#release(owed);
  }
}

const RETRY_GUESS_MS = 1_000;

function limited(retryAfterMs: number): Problem {
  return new Problem('concurrency_limited', undefined, { retryAfterSeconds: retryAfterMs / 1000 });
}
