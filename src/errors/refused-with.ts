// Marks a request that the listener answered in place of the application, for whoever logs that request.
import type { Problem } from './problems.ts';

/** Set when the body of a request broke off or came too slowly while the application was waiting for it. */
export const refusedWith: unique symbol = Symbol('refused with');

declare module 'node:http' {
  interface IncomingMessage {
    [refusedWith]?: Problem;
  }
}
