// What keeps Redis from being asked, in a word, and each word once: a client that tries ten times a second fails as often.
import type { StoreCondition, StoreConditionObserver } from '../store-condition.ts';
import { Unanswered } from '../unanswered.ts';

export interface RedisTrouble {
  /** It can be asked. */
  over(): void;
  /** It cannot, for a reason that is told unless it was since Redis was last up. */
  because(reason: string): void;
  /** It can be asked all the same. */
  beside(reason: string): void;
  /** What was beside is over. */
  noLonger(reason: string): void;
  /** It answers, and takes nothing that is to be written; told until it `takes`. */
  refuses(reason: string): void;
  takes(): void;
}

/** One that comes and goes several times a second fills no log: the last that was told is that it is away. */
const RETURNS_MAX = 5;
const RETURNS_MS = 10_000;

/** @param now monotonic milliseconds */
export function createRedisTrouble(onCondition: StoreConditionObserver, now: () => number): RedisTrouble {
  const told = new Set<string>();
  let returnsMs: number[] = [];
  let state: StoreCondition['state'] = 'starting';
  let refusal: string | null = null;
  return {
    over() {
      if (state === 'up') return;
      returnsMs = returnsMs.filter((ms) => now() - ms < RETURNS_MS);
      if (returnsMs.length >= RETURNS_MAX) return;
      returnsMs.push(now());
      state = 'up';
      told.clear();
      onCondition({ state, reason: null });
    },
    because(reason) {
      if (told.has(reason) || (VAGUE.has(reason) && state !== 'up' && told.size > 0)) return;
      told.add(reason);
      if (state === 'up') {
        state = 'away';
        refusal = null; // it is told again, should it not be over by then
      }
      onCondition({ state, reason });
    },
    beside(reason) {
      if (told.has(reason)) return;
      told.add(reason);
      onCondition({ state: 'up', reason });
    },
    noLonger(reason) {
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
 * Of an answer its first word (`WRONGPASS`, `NOAUTH`), else the code (`ECONNREFUSED`, `DEPTH_ZERO_SELF_SIGNED_CERT`): what follows
 * may quote what was sent.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return UNKNOWN;
  // Of the second the client has nothing but these words.
  if (error instanceof Unanswered || error.message.startsWith('Socket timeout')) return 'UNANSWERED';
  if (!isAnswer(error)) return wordIn(Reflect.get(error, 'code'), CODE);
  const word = wordIn(error.message.split(' ', 1)[0]);
  if (isOfSelect(error) && (word === 'ERR' || word === 'NOPERM')) return 'SELECT_REFUSED';
  return word === 'ERR' && error.message.startsWith(FULL) ? 'MAX_CLIENTS' : word;
}

function wordIn(text: unknown, form = WORD): string {
  return typeof text === 'string' && form.test(text) ? text : UNKNOWN;
}

/** How it ends for whom Redis has no place; it has no word of its own. */
const FULL = 'ERR max number of clients';

/** Redis has said so itself. */
export function isAnswer(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

/** The database of the URL is not there, or not for this user, or not now. */
export function isOfSelect(error: Error): boolean {
  const command: unknown = Reflect.get(error, 'command');
  return (
    isAnswer(error) && typeof command === 'object' && command !== null && Reflect.get(command, 'name') === 'select'
  );
}

/** Its memory or its disk is full, it only copies another Redis, or has too few copies of itself. */
const WRITE_REFUSALS: ReadonlySet<string> = new Set(['OOM', 'MISCONF', 'READONLY', 'NOREPLICAS']);

/** Nothing that is to be written is done. */
export function isWriteRefused(error: unknown): boolean {
  return isAnswer(error) && WRITE_REFUSALS.has(reasonOf(error));
}

/** Its user may not do this. */
export function isForbidden(error: unknown): boolean {
  return isAnswer(error) && reasonOf(error) === 'NOPERM';
}

/** It is the copy of another, or has forgotten who this is. */
const ELSEWHERE: ReadonlySet<string> = new Set(['READONLY', 'MASTERDOWN', 'NOAUTH']);

/** A new connection may lead to another Redis, or be let in. */
export function isElsewhere(error: unknown): boolean {
  return isAnswer(error) && ELSEWHERE.has(reasonOf(error));
}

const WORD = /^[A-Z][A-Z0-9_]{0,63}$/;
/** OpenSSL names alerts `ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED`. */
const CODE = /^[A-Z][A-Z0-9_/]{0,63}$/;
const UNKNOWN = 'OTHER';

/** Says nothing to somebody who was told more: every failed attempt ends with it. */
const VAGUE: ReadonlySet<string> = new Set(['CLOSED', UNKNOWN]);
