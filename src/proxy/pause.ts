// A pause before a request is tried again. The client, the operator or a shutdown may end it early.
import type { ServerResponse } from 'node:http';
import type { Listed } from '../collections/live-list.ts';
import type { Problem } from '../errors/problems.ts';

export class Pause implements Listed {
  place = -1;
  /** Resolves when the time is up or the client has gone. Rejects with the Problem that it was cut with. */
  readonly over: Promise<void>;
  readonly cut: (problem: Problem) => void;

  /** @param onOver called in any case */
  constructor(response: ServerResponse, ms: number, onOver: () => void) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    response.once('close', resolve);
    this.cut = reject;
    this.over = promise.finally(() => {
      clearTimeout(timer);
      response.off('close', resolve);
      onOver();
    });
  }
}
