// Bodies that may take longer than a request otherwise may: uploads, once they were found worth reading.
import type { IncomingMessage } from 'node:http';

const slowBody: unique symbol = Symbol('slow body');

declare module 'node:http' {
  interface IncomingMessage {
    [slowBody]?: true;
  }
}

/** From here on the time of this request is its route's business. For routes that bound it themselves, behind authentication. */
export function allowSlowBody(request: IncomingMessage): void {
  request[slowBody] = true;
}

/** The body is still coming, and may. */
export function isSlowBody(request: IncomingMessage): boolean {
  return request[slowBody] === true && !request.complete;
}
