// What the admission pipeline leaves on a request: the principal it acts for and that principal's client app.
import type { FastifyRequest } from 'fastify';
import type { ClientConfig } from '../config/config.ts';
import type { Principal } from '../identity/principal.ts';

export interface Admission {
  readonly principal: Principal;
  /** The configuration of the principal's client app. */
  readonly client: ClientConfig;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the admission hook; read it through `admitted()`. */
    admission: Admission | null;
  }
}

/** The admission of a request behind the hook. */
export function admitted(request: FastifyRequest): Admission {
  if (request.admission === null) throw new TypeError('this route is not behind the admission hook');
  return request.admission;
}
