// The client reads answers where nobody can catch what is thrown, and throws it into the process: `$-1` to a subscription, or to nothing
// that was asked, would end the broker. Here it ends the connection.
import type { Duplex } from 'node:stream';
import { NotUnderstood } from './redis-script.ts';

/** What of the client's reader of answers is meant here; it is private in its types only. */
interface AnswerReader {
  readonly redis: {
    readonly stream: Duplex;
    readonly commandQueue: { shift(): unknown };
    recoverFromFatalError(commandError: Error, error: Error): void;
  };
  dispatch: (answer: () => void) => void;
  returnFatalError: (error: unknown) => void;
  shiftCommand: () => unknown;
}

/** For all connections of the process. To be called before the first of them is made. */
export async function guardAnswers(): Promise<void> {
  // Not a part of the client's interface: the test with odd answers says when a new version of it reads them in another way.
  const { default: reader } = await import('ioredis/built/DataHandler.js');
  const prototype = reader.default.prototype as unknown as AnswerReader; // see there
  prototype.dispatch = function dispatch(answer) {
    try {
      answer();
    } catch (cause) {
      giveUp(this, cause);
    }
  };
  prototype.returnFatalError = function returnFatalError(cause) {
    giveUp(this, cause);
  };
  // The client would go on, and take each answer for that to the question before.
  prototype.shiftCommand = function shiftCommand() {
    const question = this.redis.commandQueue.shift();
    if (question === undefined) throw new TypeError('an answer that nobody has asked for');
    return question;
  };
}

/** Once for each connection: more may have come with what was not understood. */
function giveUp({ redis }: AnswerReader, cause: unknown): void {
  if (redis.stream.destroyed) return;
  const error = new NotUnderstood('an answer that no Redis gives', { cause });
  redis.recoverFromFatalError(error, error);
  redis.stream.destroy();
}
