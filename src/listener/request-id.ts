// The id of a request, the same whether the application answers it or the listener in its place.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const id: unique symbol = Symbol('request id');

declare module 'node:http' {
  interface IncomingMessage {
    [id]?: string;
  }
}

/** A UUID, made at the first call. Also Fastify's `genReqId`. */
export function requestIdOf(request: IncomingMessage): string {
  request[id] ??= randomUUID();
  return request[id];
}
