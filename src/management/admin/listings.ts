// Converts internal values to the lines of the admin API's lists, in snake_case like everything the broker sends.
import type { PlacedSession } from '../../limits/all-sessions.ts';
import type { PoolView } from '../../store/lease-rules.ts';
import type { Revocation } from '../../store/revocations.ts';

export function revocationLine(revocation: Revocation) {
  if (revocation.scope !== 'token') return revocation;
  const { untilMs, ...line } = revocation;
  return { ...line, until: new Date(untilMs).toISOString() };
}

export function sessionLine({ ageMs, ...line }: PlacedSession) {
  return { ...line, age_ms: ageMs };
}

export function poolLines({ leases, loweredTo, ...view }: PoolView) {
  return { leases: leases.map(({ ageMs, ...line }) => ({ ...line, age_ms: ageMs })), ...view, lowered_to: loweredTo };
}
