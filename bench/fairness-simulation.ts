// Simulates how an account's concurrency is shared: subjects ask, a pool grants, and time is only counted, so hours take a moment.

import { createLeaseTable } from '../src/store/lease-entries.ts';
import { LEASE_TIMES, type LeaseAsk, type PoolRules } from '../src/store/lease-rules.ts';
import { acquire, release } from '../src/store/lease-table.ts';

/** How a pool grants: by the broker's rules; first come, first served; or at once or not at all. */
export type Discipline = 'fair' | 'fifo' | 'none';

export interface SimulatedSubject {
  readonly name: string;
  /** Its client app. */
  readonly client: string;
  /** Number of requests it has open or waiting at a time. */
  readonly parallel: number;
  /** Mean pause between a response and the next request, milliseconds. */
  readonly pauseMs: number;
}

export interface Scenario {
  readonly limit: number;
  readonly subjects: readonly SimulatedSubject[];
  /** Mean length of a generation, milliseconds. */
  readonly holdMs: number;
  readonly waitMs: number;
  /** Places of the broker's queue. */
  readonly queueMax: number;
  readonly lastsMs: number;
  readonly seed: number;
}

export interface SubjectResult {
  readonly name: string;
  readonly served: number;
  readonly refused: number;
  readonly medianWaitMs: number;
}

export interface SimulationResult {
  readonly subjects: readonly SubjectResult[];
  /** Share of the limit that was in use while at least one request waited, 0 to 1. */
  readonly utilisation: number;
}

interface Request {
  readonly id: string;
  readonly subject: SimulatedSubject;
  readonly askedMs: number;
}

interface Pool {
  /** `null`: the request waits. */
  ask(request: Request, now: number): 'granted' | 'refused' | null;
  /** @returns the ids of the requests that are granted as a result */
  end(request: Request, now: number): readonly string[];
}

/** @returns the results of every subject */
export function simulate(scenario: Scenario, discipline: Discipline): SimulationResult {
  const { limit, subjects, holdMs, waitMs, lastsMs } = scenario;
  const random = seeded(scenario.seed);
  const pool = discipline === 'fair' ? fairPool(scenario) : plainPool(limit, discipline === 'fifo');
  const events = new EventQueue();
  const requests = new Map<string, Request>();
  const waits = new Map<string, number[]>(subjects.map(({ name }) => [name, []]));
  const refused = new Map<string, number>();
  let made = 0;
  let held = 0;
  let busyMs = 0;
  let wantedMs = 0;
  let lastMs = 0;
  const waiting = new Set<string>();
  const exponential = (mean: number): number => -Math.log(1 - random()) * mean;

  function tick(now: number): void {
    if (waiting.size > 0) {
      wantedMs += limit * (now - lastMs);
      busyMs += held * (now - lastMs);
    }
    lastMs = now;
  }
  function ask(subject: SimulatedSubject, now: number): void {
    made += 1;
    const request: Request = { id: `${subject.name}#${made}`, subject, askedMs: now };
    requests.set(request.id, request);
    const answer = pool.ask(request, now);
    if (answer === 'granted') begin(request, now);
    else if (answer === 'refused') refuse(request, now);
    else {
      waiting.add(request.id);
      events.add(now + waitMs, (at) => giveUp(request, at));
    }
  }
  function begin(request: Request, now: number): void {
    waiting.delete(request.id);
    held += 1;
    waits.get(request.subject.name)?.push(now - request.askedMs);
    events.add(now + exponential(holdMs), (at) => end(request, at));
  }
  function end(request: Request, now: number): void {
    held -= 1;
    grant(pool.end(request, now), now);
    next(request, now);
  }
  function giveUp(request: Request, now: number): void {
    if (!waiting.delete(request.id)) return;
    grant(pool.end(request, now), now);
    refuse(request, now);
  }
  function grant(ids: readonly string[], now: number): void {
    for (const id of ids) {
      const request = requests.get(id);
      if (request !== undefined) begin(request, now);
    }
  }
  function refuse(request: Request, now: number): void {
    const { name } = request.subject;
    refused.set(name, (refused.get(name) ?? 0) + 1);
    next(request, now);
  }
  function next({ id, subject }: Request, now: number): void {
    requests.delete(id);
    events.add(now + exponential(subject.pauseMs), (at) => ask(subject, at));
  }

  for (const subject of subjects)
    for (let i = 0; i < subject.parallel; i += 1) events.add(exponential(subject.pauseMs), (at) => ask(subject, at));
  events.run(lastsMs, tick);
  return {
    subjects: subjects.map(({ name }) => ({
      name,
      served: waits.get(name)?.length ?? 0,
      refused: refused.get(name) ?? 0,
      medianWaitMs: median(waits.get(name) ?? []),
    })),
    utilisation: wantedMs === 0 ? 1 : busyMs / wantedMs,
  };
}

/** Jain's fairness index: 1 = all have the same; 1/n = one has everything. R. Jain, 1984. */
export function jainsIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function fairPool({ limit, waitMs, queueMax, subjects }: Scenario): Pool {
  const table = createLeaseTable();
  const isShared = new Set(subjects.map(({ client }) => client)).size > 1;
  const rules: PoolRules = { limit, reserved: new Map(), queueMax, isShared };
  const times = { ...LEASE_TIMES, ttlMs: Number.POSITIVE_INFINITY, offerMs: Number.POSITIVE_INFINITY };
  return {
    ask({ id, subject }, now) {
      const shares = { client: subject.client, owner: 'replica', clientMax: null, subjectMax: null, weight: 1 };
      const one: LeaseAsk = { id, subject: subject.name, waitMs, ...shares };
      const { outcome } = acquire(table, rules, times, one, now, () => {});
      return outcome === 'queued' ? null : outcome;
    },
    end({ id }, now) {
      const granted: string[] = [];
      release(table, rules, times, [id], now, (one) => granted.push(one.id));
      return granted;
    },
  };
}

function plainPool(limit: number, hasQueue: boolean): Pool {
  const held = new Set<string>();
  const queue: string[] = [];
  return {
    ask({ id }) {
      if (held.size >= limit) {
        if (hasQueue) queue.push(id);
        return hasQueue ? null : 'refused';
      }
      held.add(id);
      return 'granted';
    },
    end({ id }) {
      if (!held.delete(id)) queue.splice(queue.indexOf(id), 1);
      const next = held.size < limit ? queue.shift() : undefined;
      if (next === undefined) return [];
      held.add(next);
      return [next];
    },
  };
}

/** Future events in the order of time. */
class EventQueue {
  readonly #heap: { readonly at: number; readonly run: (at: number) => void }[] = [];

  add(at: number, run: (at: number) => void): void {
    const heap = this.#heap;
    heap.push({ at, run });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#swapIfBefore(i, parent)) break;
      i = parent;
    }
  }

  run(untilMs: number, tick: (at: number) => void): void {
    for (let first = this.#take(); first !== undefined && first.at <= untilMs; first = this.#take()) {
      tick(first.at);
      first.run(first.at);
    }
  }

  #take() {
    const heap = this.#heap;
    const [first] = heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let i = 0; ; ) {
      const child = (heap[2 * i + 2]?.at ?? Infinity) < (heap[2 * i + 1]?.at ?? Infinity) ? 2 * i + 2 : 2 * i + 1;
      if (child >= heap.length || !this.#swapIfBefore(child, i)) break;
      i = child;
    }
    return first;
  }

  #swapIfBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    if (one === undefined || other === undefined || one.at >= other.at) return false;
    this.#heap[a] = other;
    this.#heap[b] = one;
    return true;
  }
}

/** Random numbers from 0 to 1, the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
