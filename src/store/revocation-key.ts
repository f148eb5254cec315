// The key of a revocation: the same on every replica for the same thing that is revoked.
import type { Revocation } from './revocations.ts';
import { storeKey } from './store-key.ts';

export function revocationKey(one: Revocation): string {
  switch (one.scope) {
    case 'everything':
      return storeKey('everything');
    case 'client':
      return storeKey('client', one.client);
    case 'subject':
      return storeKey('subject', one.client, one.subject);
    case 'token':
      return storeKey('token', one.token);
  }
}
