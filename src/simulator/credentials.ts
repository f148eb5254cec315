// Identifies the caller of the simulated API and decides whether an endpoint is open to it.

import type { IncomingHttpHeaders } from 'node:http';
import { looksLikeToken, type TokenClaims } from './access-tokens.ts';
import { type Problem, problem } from './problems.ts';
import type { Grants } from './settings.ts';
import type { World } from './world.ts';

export type Caller =
  | { readonly kind: 'none' }
  | { readonly kind: 'api_key'; readonly key: string }
  | { readonly kind: 'admin_key'; readonly key: string }
  | { readonly kind: 'access_token'; readonly claims: TokenClaims };

/**
 * What an endpoint requires: nothing, a standard key, an admin key, or either a standard key or a token with that grant.
 */
export type Requirement = 'none' | 'api_key' | 'admin_key' | keyof Grants;

interface Refused {
  readonly outcome: 'refused';
  readonly problem: Problem;
}

export type Authentication = { readonly outcome: 'allowed'; readonly caller: Caller } | Refused;

/** Where credentials are looked for. A query is given for WebSockets only. */
export interface CredentialSource {
  readonly headers: IncomingHttpHeaders;
  readonly query?: URLSearchParams;
}

/**
 * Reads the credential from `Authorization: Bearer`, `X-API-Key` and, if a query is given, `access_token` and `api_key`; then checks it
 * against what the endpoint requires.
 */
export function authenticate(world: World, request: CredentialSource, requirement: Requirement): Authentication {
  if (requirement === 'none') return { outcome: 'allowed', caller: { kind: 'none' } };
  const found = credentialOf(world, request);
  if (found.outcome === 'refused') return found;
  const caller = callerOf(world, found.credential);
  if (caller === null) return refused(world, 'unauthorized');
  return decide(world, caller, requirement);
}

/** The one credential of a request, unchecked. */
export function credentialOf(
  world: World,
  request: CredentialSource,
): { readonly outcome: 'found'; readonly credential: string } | Refused {
  const [credential, ...others] = credentialsOf(request);
  if (credential === undefined) return refused(world, 'unauthorized', 'Missing credentials.');
  if (world.settings.credentials.several === 'refuse' && others.some((other) => other !== credential)) {
    return refused(world, 'invalid_request', 'Several credentials that differ.');
  }
  return { outcome: 'found', credential };
}

function decide(world: World, caller: Caller, requirement: Requirement): Authentication {
  const allowed: Authentication = { outcome: 'allowed', caller };
  if (requirement === 'admin_key') {
    return caller.kind === 'admin_key' ? allowed : refused(world, 'forbidden', 'An admin API key is required.');
  }
  if (caller.kind === 'admin_key') return refused(world, 'forbidden', 'An admin API key cannot be used here.');
  if (caller.kind === 'api_key') return allowed;
  if (requirement === 'api_key') return refused(world, 'forbidden', 'An API key is required.');
  const granted = caller.kind === 'access_token' && caller.claims.grants[requirement as keyof Grants] === true;
  return granted ? allowed : refused(world, 'forbidden');
}

function callerOf({ settings, tokens, clock }: World, credential: string): Caller | null {
  if (settings.apiKeys.includes(credential)) return { kind: 'api_key', key: credential };
  if (settings.adminKeys.includes(credential)) return { kind: 'admin_key', key: credential };
  if (!looksLikeToken(credential)) return null;
  const check = tokens.check(credential, clock.now());
  return check.outcome === 'valid' ? { kind: 'access_token', claims: check.claims } : null;
}

/** All credentials of a request; the first one counts. */
function credentialsOf({ headers, query }: CredentialSource): readonly string[] {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
  const key = headers['x-api-key'];
  const found = [
    bearer,
    Array.isArray(key) ? key[0] : key,
    ...(query?.getAll('access_token') ?? []),
    ...(query?.getAll('api_key') ?? []),
  ];
  return found.filter((value): value is string => value !== undefined && value !== '');
}

function refused(world: World, name: 'unauthorized' | 'forbidden' | 'invalid_request', message?: string): Refused {
  const text = message === undefined ? {} : { message };
  return { outcome: 'refused', problem: problem(world.settings, name, text) };
}
