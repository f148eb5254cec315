// Lets in callers without a credential, where the configuration explicitly allows them.
import type { ClientConfig } from '../config/config.ts';
import { type Authentication, type Authenticator, NOT_RESPONSIBLE } from './authenticator.ts';

/**
 * Lets in a request without a credential as a subject of the one client app that allows it. A request with a credential is
 * left to the other authenticators: a bad credential never becomes an anonymous caller. The subject is the client app itself,
 * since nobody is named: limits by subject must add the address.
 * @throws when several client apps allow it: which one is meant would be a guess
 */
export function createAnonymousAuthenticator(clients: readonly ClientConfig[]): Authenticator {
  const [open, ...more] = clients.filter((client) => client.auth.anonymous);
  if (open !== undefined && more.length > 0) {
    const names = [open, ...more].map((client) => client.name).join(', ');
    throw new Error(`Only one client app may allow anonymous callers, but several do: ${names}`);
  }
  const answer = open === undefined ? NOT_RESPONSIBLE : answerFor(open.name);
  return { authenticate: (credential) => (credential === null ? answer : NOT_RESPONSIBLE) };
}

function answerFor(client: string): Authentication {
  const principal = {
    client,
    subject: client,
    method: 'anonymous',
    claims: Object.freeze({}),
    grants: null,
    expiresAt: null,
  } as const;
  return Object.freeze({ outcome: 'authenticated', principal: Object.freeze(principal) });
}
