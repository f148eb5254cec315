// Makes a reply that the client cannot handle end the connection instead of the process. The client parses replies where nobody can catch
// what it throws: `$-1` in reply to a subscription, or to no command at all, would end the broker.
import type { Duplex } from 'node:stream';
import { NotUnderstood } from './redis-script.ts';

/** The parts of the client's reply parser that are used here; only its types declare them private. */
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

/** Applies to all connections of the process; to be called before the first one is made. */
export async function guardAnswers(): Promise<void> {
  // Not part of the client's public interface: the test with odd replies fails if a new version parses them in another way.
  const { default: reader } = await import('ioredis/built/DataHandler.js');
  const prototype = reader.default.prototype as unknown as AnswerReader; // private in its types only
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
  // The client itself would only report an error and go on, and could take later replies for those to other commands.
  prototype.shiftCommand = function shiftCommand() {
    const question = this.redis.commandQueue.shift();
    if (question === undefined) throw new TypeError('an answer that nobody has asked for');
    return question;
  };
}

/** Acts once per connection: more replies may have come together with the bad one. */
function giveUp({ redis }: AnswerReader, cause: unknown): void {
  if (redis.stream.destroyed) return;
  const error = new NotUnderstood('an answer that no Redis gives', { cause });
  redis.recoverFromFatalError(error, error);
  redis.stream.destroy();
}
