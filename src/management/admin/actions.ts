// What an operator can do besides looking: revoke, restore, end a session. Each action says in the call's audit line what it was about.
import type { FastifyRequest } from 'fastify';
import { Problem } from '../../errors/problems.ts';
import type { Limits } from '../../limits/limits.ts';
import type { Revocation } from '../../store/revocations.ts';
import type { SubjectHash } from '../../telemetry/subject-hash.ts';
import { auditedScope } from './audited-scope.ts';
import { audit } from './operator-calls.ts';
import { readRevocation, requireKnownClient } from './revocation-body.ts';

export interface ActionsOptions {
  readonly limits: Pick<Limits, 'revocations' | 'allSessions'>;
  readonly subjectHash: SubjectHash;
  /** Names of the client apps. */
  readonly clients: readonly string[];
}

/** All reject with a Problem: `invalid_request` that names a field, `not_found`, `store_unavailable`. */
export interface Actions {
  /** @param fields of a revocation, not checked yet */
  revoke(request: FastifyRequest, fields: unknown): Promise<void>;
  restore(request: FastifyRequest, fields: unknown): Promise<void>;
  endSession(request: FastifyRequest, id: string): Promise<void>;
}

/** Session ids are request ids (UUIDs); the audit line cuts off anything longer. */
const SESSION_ID_SHOWN = 64;

export function createActions({ limits, subjectHash, clients }: ActionsOptions): Actions {
  const { revocations, allSessions } = limits;

  function revocationOf(request: FastifyRequest, fields: unknown): Revocation {
    const revocation = readRevocation(fields, Date.now());
    audit(request, { about: auditedScope(revocation, subjectHash) });
    return revocation;
  }

  return {
    async revoke(request, fields) {
      const revocation = revocationOf(request, fields);
      requireKnownClient(revocation, clients);
      await revocations.add(revocation);
    },
    async restore(request, fields) {
      const was = await revocations.remove(revocationOf(request, fields));
      if (!was) throw new Problem('not_found', 'This scope is not revoked.');
    },
    async endSession(request, id) {
      audit(request, { about: { session: id.slice(0, SESSION_ID_SHOWN) } });
      const { killed, silent } = await allSessions.kill(id);
      if (killed) return;
      const unsure = silent === 0 ? '' : ` Replicas that did not answer: ${silent}.`;
      throw new Problem('not_found', `No replica carries this session.${unsure}`);
    },
  };
}
