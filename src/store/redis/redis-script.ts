// A script that Redis runs atomically, with a checked reader of its reply. Something other than Redis may answer at its address: a reply
// that no script of ours gives is refused, and ends nothing else.
import { createHash } from 'node:crypto';

/** A script with its name in Redis' cache. */
export interface RedisScript<Answer> {
  readonly lua: string;
  readonly sha: string;
  /** Whether a reply proves that Redis accepts writes: the script did something that a full Redis refuses. */
  readonly hasWritten: (answer: Answer) => boolean;
  /** @throws NotUnderstood */
  readonly read: (answer: unknown) => Answer;
}

/** A reply that no Redis gives. The command may have been carried out. */
export class NotUnderstood extends Error {
  readonly code = 'NOT_REDIS';
}

export interface RedisScriptOptions<Answer> {
  /** May throw anything if it does not understand the reply. */
  readonly read: (answer: unknown) => Answer;
  readonly hasWritten?: (answer: Answer) => boolean;
}

export function redisScript<Answer>(
  lua: string,
  { read, hasWritten = () => true }: RedisScriptOptions<Answer>,
): RedisScript<Answer> {
  return {
    lua,
    sha: createHash('sha1').update(lua).digest('hex'),
    hasWritten,
    read(answer) {
      try {
        return read(answer);
      } catch (cause) {
        throw new NotUnderstood('not understood', { cause });
      }
    },
  };
}

/** `hasWritten` of a script that a full Redis runs as well. */
export function never(): boolean {
  return false;
}

/** `read` of a script whose reply carries no information. */
export function nothing(): void {}

export function listIn(answer: unknown): readonly unknown[] {
  if (!Array.isArray(answer)) throw new NotUnderstood('not a list');
  return answer;
}

export function textIn(answer: unknown): string {
  if (typeof answer !== 'string') throw new NotUnderstood('not a text');
  return answer;
}

export function textsIn(answer: unknown): readonly string[] {
  return listIn(answer).map(textIn);
}

/** A whole number, also as a string, which is how Lua returns an argument that it was given. */
export function numberIn(answer: unknown): number {
  const number = typeof answer === 'string' && answer !== '' ? Number(answer) : answer;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw new NotUnderstood('not a whole number');
  return number;
}
