// Reports why Redis is not usable, as one word, and each word once: a client that tries ten times a second fails as often.
import type { StoreCondition, StoreConditionObserver } from '../store-condition.ts';
import { Unanswered } from '../unanswered.ts';

export interface RedisTrouble {
  /** Redis is usable. */
  over(): void;
  /** Redis is not usable; the reason is reported unless it already was since Redis was last up. */
  because(reason: string): void;
  /** Something is wrong, but Redis is usable all the same; if it is not yet, this is reported once it is. */
  beside(reason: string): void;
  /** What was reported with `beside` is over. */
  noLonger(reason: string): void;
  /** Redis answers but refuses writes, until `takes` is called. */
  refuses(reason: string): void;
  takes(): void;
}

/** A Redis that comes and goes several times a second must not fill the log: beyond this it stays reported as away. */
const RETURNS_MAX = 5;
const RETURNS_MS = 10_000;

/** @param now monotonic milliseconds */
export function createRedisTrouble(onCondition: StoreConditionObserver, now: () => number): RedisTrouble {
  const told = new Set<string>();
  const untold = new Set<string>();
  let returnsMs: number[] = [];
  let state: StoreCondition['state'] = 'starting';
  let refusal: string | null = null;

  function tellBeside(reason: string): void {
    if (told.has(reason)) return;
    told.add(reason);
    onCondition({ state: 'up', reason });
  }

  return {
    over() {
      if (state === 'up') return;
      returnsMs = returnsMs.filter((ms) => now() - ms < RETURNS_MS);
      if (returnsMs.length >= RETURNS_MAX) return;
      returnsMs.push(now());
      state = 'up';
      told.clear();
      onCondition({ state, reason: null });
      for (const reason of untold) tellBeside(reason);
      untold.clear();
    },
    because(reason) {
      if (told.has(reason) || (VAGUE.has(reason) && state !== 'up' && told.size > 0)) return;
      told.add(reason);
      if (state === 'up') {
        state = 'away';
        refusal = null; // reported again if it is not over once Redis is up
      }
      onCondition({ state, reason });
    },
    beside(reason) {
      if (state === 'up') tellBeside(reason);
      else untold.add(reason);
    },
    noLonger(reason) {
      untold.delete(reason);
      if (told.delete(reason) && state === 'up') onCondition({ state, reason: null });
    },
    refuses(reason) {
      if (reason === refusal) return;
      refusal = reason;
      onCondition({ state: 'up', reason });
    },
    takes() {
      if (refusal === null) return;
      refusal = null;
      onCondition({ state: 'up', reason: null });
    },
  };
}

/**
 * The first word of an error reply (`WRONGPASS`, `NOAUTH`), else the error's code (`ECONNREFUSED`, `DEPTH_ZERO_SELF_SIGNED_CERT`):
 * the rest may quote what was sent.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return UNKNOWN;
  // The client marks a socket timeout by nothing but these words.
  if (error instanceof Unanswered || error.message.startsWith('Socket timeout')) return 'UNANSWERED';
  if (!isAnswer(error)) return wordIn(Reflect.get(error, 'code'), CODE);
  const word = wordIn(error.message.split(' ', 1)[0]);
  if (isOfSelect(error) && (word === 'ERR' || word === 'NOPERM')) return 'SELECT_REFUSED';
  return word === 'ERR' && error.message.startsWith(FULL) ? 'MAX_CLIENTS' : word;
}

function wordIn(text: unknown, form = WORD): string {
  return typeof text === 'string' && form.test(text) ? text : UNKNOWN;
}

/** Redis' reply to one client too many, which has no error word of its own. */
const FULL = 'ERR max number of clients';

/** An error reply of Redis itself. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** The database of the URL could not be selected: it does not exist, is forbidden to this user, or is not available now. */
export function isOfSelect(error: Error): boolean {
  const command: unknown = Reflect.get(error, 'command');
  return (
    isAnswer(error) && typeof command === 'object' && command !== null && Reflect.get(command, 'name') === 'select'
  );
}

/** Memory is full, saving to disk fails, it is a read-only replica, or it has too few replicas. */
const WRITE_REFUSALS: ReadonlySet<string> = new Set(['OOM', 'MISCONF', 'READONLY', 'NOREPLICAS']);

/** Redis refuses all writes. */
export function isWriteRefused(error: unknown): boolean {
  return isAnswer(error) && WRITE_REFUSALS.has(reasonOf(error));
}

/** The Redis user lacks the permission. */
export function isForbidden(error: unknown): boolean {
  return isAnswer(error) && reasonOf(error) === 'NOPERM';
}

/** Redis is a replica of another, or no longer knows who we are. */
const ELSEWHERE: ReadonlySet<string> = new Set(['READONLY', 'MASTERDOWN', 'NOAUTH']);

/** A new connection may lead to another Redis, or be authenticated. */
export function isElsewhere(error: unknown): boolean {
  return isAnswer(error) && ELSEWHERE.has(reasonOf(error));
}

const WORD = /^[A-Z][A-Z0-9_]{0,63}$/;
/** OpenSSL names alerts `ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED`. */
const CODE = /^[A-Z][A-Z0-9_/]{0,63}$/;
const UNKNOWN = 'OTHER';

/** Adds nothing once a more precise reason was reported: every failed attempt ends with one of these. */
const VAGUE: ReadonlySet<string> = new Set(['CLOSED', UNKNOWN]);
