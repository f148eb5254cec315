// The mark on a request that the listener has answered in the application's place, for whoever writes about that request.
import type { Problem } from './problems.ts';

/** Set when the body of a request broke off or came too slowly while the application was waiting for it. */
export const refusedWith: unique symbol = Symbol('refused with');

declare module 'node:http' {
  interface IncomingMessage {
    [refusedWith]?: Problem;
  }
}
