// Marks requests whose body may take longer than a request usually may: uploads, once they are admitted.
import type { IncomingMessage } from 'node:http';

const slowBody: unique symbol = Symbol('slow body');

declare module 'node:http' {
  interface IncomingMessage {
    [slowBody]?: true;
  }
}

/** Exempts a request from the server's time limit. For routes that limit its time themselves, after authentication. */
export function allowSlowBody(request: IncomingMessage): void {
  request[slowBody] = true;
}

/** Whether the body is still coming and is allowed to be slow. */
export function isSlowBody(request: IncomingMessage): boolean {
  return request[slowBody] === true && !request.complete;
}
