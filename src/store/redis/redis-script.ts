// A script that Redis runs whole, with what its answer means. Whatever else stands at Redis' address answers too: what no script of ours says is
// not believed, and ends nothing.
import { createHash } from 'node:crypto';

/** A script with its name in Redis' cache. */
export interface RedisScript<Answer> {
  readonly lua: string;
  readonly sha: string;
  /** Whether an answer says that Redis takes what is written: it has done what a full one would have refused. */
  readonly hasWritten: (answer: Answer) => boolean;
  /** @throws NotUnderstood */
  readonly read: (answer: unknown) => Answer;
}

/** An answer that no Redis gives. What was asked for may have been done. */
export class NotUnderstood extends Error {
  readonly code = 'NOT_REDIS';
}

export interface RedisScriptOptions<Answer> {
  /** Throws whatever it likes where it does not understand. */
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

/** Of a script that a full Redis does as well. */
export function never(): boolean {
  return false;
}

/** Of a script whose answer tells nothing. */
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

/** A whole one. Also as a text, which is what Lua makes of an argument that it hands back. */
export function numberIn(answer: unknown): number {
  const number = typeof answer === 'string' && answer !== '' ? Number(answer) : answer;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw new NotUnderstood('not a whole number');
  return number;
}
