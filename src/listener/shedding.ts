// Refuses new work while there is no memory for it, before anything of it is read. Running work goes on.
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { Problem } from '../errors/problems.ts';
import type { Readiness } from './readiness.ts';

const RETRY_SECONDS = 2;

export function shedWithoutMemory(readiness: Readiness) {
  return (_request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void => {
    if (readiness.strain !== 'memory') done();
    else done(new Problem('overloaded', undefined, { retryAfterSeconds: RETRY_SECONDS }));
  };
}
