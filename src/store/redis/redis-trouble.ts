// What keeps Redis from being asked, in a word, and each word once: a client that tries ten times a second fails as often.
import type { StoreCondition, StoreConditionObserver } from '../store-condition.ts';

export interface RedisTrouble {
  /** It can be asked. */
  over(): void;
  /** It cannot, for a reason that is told unless it was since Redis was last up. */
  because(reason: string): void;
  /** It can be asked all the same. */
  beside(reason: string): void;
  /** It answers, and takes nothing that is to be written; told until it `takes`. */
  refuses(reason: string): void;
  takes(): void;
}

export function createRedisTrouble(onCondition: StoreConditionObserver): RedisTrouble {
  const told = new Set<string>();
  let state: StoreCondition['state'] = 'starting';
  let refusal: string | null = null;
  return {
    over() {
      if (state === 'up') return;
      state = 'up';
      told.clear();
      onCondition({ state, reason: null });
    },
    because(reason) {
      if (told.has(reason) || (VAGUE.has(reason) && told.size > 0)) return;
      told.add(reason);
      if (state === 'up') state = 'away';
      onCondition({ state, reason });
    },
    beside(reason) {
      if (told.has(reason)) return;
      told.add(reason);
      onCondition({ state: 'up', reason });
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
  if (isSelectRefused(error)) return 'SELECT_REFUSED';
  const word = error.name === 'ReplyError' ? error.message.split(' ', 1)[0] : Reflect.get(error, 'code');
  return typeof word === 'string' && WORD.test(word) ? word : UNKNOWN;
}

/** The database of the URL is not there, or not for this user: the client would go on with database 0. */
export function isSelectRefused(error: Error): boolean {
  const command: unknown = Reflect.get(error, 'command');
  return (
    error.name === 'ReplyError' &&
    typeof command === 'object' &&
    command !== null &&
    Reflect.get(command, 'name') === 'select'
  );
}

/** Its memory or its disk is full, it only copies another Redis, or has too few copies of itself. */
const WRITE_REFUSALS: ReadonlySet<string> = new Set(['OOM', 'MISCONF', 'READONLY', 'NOREPLICAS']);

/** A whole answer, and a quick one: nothing that is to be written is done. */
export function isWriteRefused(error: Error): boolean {
  return error.name === 'ReplyError' && WRITE_REFUSALS.has(reasonOf(error));
}

const WORD = /^[A-Z][A-Z0-9_]{0,63}$/;
const UNKNOWN = 'OTHER';

/** Says nothing to somebody who was told more: every failed attempt ends with it. */
const VAGUE: ReadonlySet<string> = new Set(['CLOSED', UNKNOWN]);
