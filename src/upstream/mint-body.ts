// The body of `POST /access-token`. Both fields are always sent in full: Cartesia does not document what it does without them.
// Source: https://docs.cartesia.ai/api-reference/auth/access-token
import { GRANTS, type Grant } from '../config/grant.ts';
import { LIFETIME_MAX_SECONDS } from '../config/token-lifetime.ts';
import type { Problem } from '../errors/problems.ts';
import { problemOfFailure, UpstreamFailure } from './upstream-failure.ts';

/** Few combinations are in use at once; beyond this many, bodies are made for one call only. */
const KEPT_MAX = 256;
const kept = new Map<string, Buffer>();

/**
 * Every grant is named, with `true` or `false`. The buffer is shared: never modify.
 * @param expiresInSeconds 1 to 3600
 * @throws Problem `internal_error` if there is no grant, an unknown one or a lifetime out of range: such a wish never reaches upstream
 */
export function mintBody(grants: readonly Grant[], expiresInSeconds: number): Buffer {
  const key = `${grants.join()} ${expiresInSeconds}`;
  const known = kept.get(key);
  if (known !== undefined) return known;

  if (grants.length === 0) throw refused('a token without grants is never minted');
  if (!grants.every((grant) => GRANTS.includes(grant))) throw refused('unknown grant');
  if (!Number.isInteger(expiresInSeconds) || expiresInSeconds < 1 || expiresInSeconds > LIFETIME_MAX_SECONDS) {
    throw refused('lifetime out of range');
  }
  const flags = Object.fromEntries(GRANTS.map((grant) => [grant, grants.includes(grant)]));
  const body = Buffer.from(JSON.stringify({ grants: flags, expires_in: expiresInSeconds }));
  if (kept.size < KEPT_MAX) kept.set(key, body);
  return body;
}

function refused(reason: string): Problem {
  return problemOfFailure(new UpstreamFailure('internal', reason));
}
