// Principals for tests.
import type { Principal } from '../../src/identity/principal.ts';

export function principalOf(overrides: Partial<Principal> = {}): Principal {
  return { client: 'web', subject: 'user-1', method: 'jwt', claims: {}, grants: null, expiresAt: null, ...overrides };
}
