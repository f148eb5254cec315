// Finds the credential of a request: at most one, in the places where one is allowed.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Credential, refused } from './authenticator.ts';

/** The parts of Node's request that are read here. `rawHeaders` shows repeated fields, which `headers` drops or joins. */
export interface HeaderView extends Pick<IncomingMessage, 'headers' | 'rawHeaders'> {
  /** `null` = no further request comes on this connection. */
  readonly connection: Duplex | null;
}

export interface CredentialOptions {
  /**
   * Also accept `access_token` and `api_key` from the query string. Only for WebSocket upgrades, where a browser cannot set
   * headers. Elsewhere a credential in the URL is refused, not ignored, unless another place has one.
   */
  readonly fromQuery: boolean;
}

/** `message` is safe to send; `reason` is for log and metrics. */
export type CredentialReading =
  | { readonly outcome: 'found'; readonly credential: Credential }
  | { readonly outcome: 'none' }
  | { readonly outcome: 'refused'; readonly code: 'unauthenticated'; readonly reason: string }
  | {
      readonly outcome: 'refused';
      readonly code: 'invalid_request';
      readonly reason: string;
      readonly message: string;
    };

/** Characters. Longer ones are refused before anything is computed from them. */
export const MAX_CREDENTIAL_LENGTH = 8_192;

/**
 * Finds the one credential of a request: `Authorization: Bearer` (RFC 6750 §2.1), `X-API-Key`, and on upgrades the query.
 * The same text in several places is one credential; two that differ are `invalid_request`, since which one was meant
 * would be a guess. An unacceptable field is refused even if another one would do.
 * @param query raw query string without the `?`; empty if there is none
 */
export function readCredential(request: HeaderView, query: string, options: CredentialOptions): CredentialReading {
  const { connection } = request;
  const { authorization, 'x-api-key': apiKey } = request.headers;
  if (authorization !== undefined) {
    const repeated = repetition(request.rawHeaders, 'authorization');
    if (repeated !== null) return repeated === 'alike' ? refused('authorization_repeated') : AMBIGUOUS;
  }
  if (apiKey !== undefined) {
    const repeated = repetition(request.rawHeaders, 'x-api-key');
    if (repeated !== null) return repeated === 'alike' ? refused('api_key_repeated') : AMBIGUOUS;
  }

  const found: Credential[] = [];
  if (authorization !== undefined) {
    const rawToken = bearerToken(authorization);
    if (rawToken === null) return refused('authorization_not_bearer');
    found.push({ rawToken, place: 'authorization', connection });
  }
  if (apiKey !== undefined) found.push({ rawToken: String(apiKey), place: 'x-api-key', connection });
  if (query !== '' && (options.fromQuery || found.length === 0)) {
    for (const rawToken of queryTokens(query)) {
      if (!options.fromQuery) return refused('credential_in_query');
      found.push({ rawToken, place: 'query', connection });
    }
  }
  return theOnly(found);
}

function theOnly(found: readonly Credential[]): CredentialReading {
  const [first] = found;
  if (first === undefined) return { outcome: 'none' };
  for (const { rawToken } of found) {
    if (rawToken.length > MAX_CREDENTIAL_LENGTH) return refused('credential_too_long');
    if (!VISIBLE_ASCII.test(rawToken)) return refused('credential_malformed');
    if (rawToken !== first.rawToken) return AMBIGUOUS;
  }
  return { outcome: 'found', credential: first };
}

const AMBIGUOUS: CredentialReading = {
  outcome: 'refused',
  code: 'invalid_request',
  reason: 'credentials_differ',
  message: 'Send one credential: the ones in Authorization, X-API-Key or the query differ.',
};

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** The scheme ignores case and may be followed by several spaces (RFC 9110 §11.4); nothing may follow the token. */
function bearerToken(field: string): string | null {
  if (field.charCodeAt(6) !== 0x20 || field.slice(0, 6).toLowerCase() !== 'bearer') return null;
  let start = 7;
  while (field.charCodeAt(start) === 0x20) start += 1;
  return start === field.length ? null : field.slice(start);
}

/** Node keeps the first of several `Authorization` fields and joins several `X-API-Key` fields: only the raw list shows them. */
function repetition(rawHeaders: readonly string[], name: string): 'alike' | 'different' | null {
  let first: string | undefined;
  let repeated: 'alike' | null = null;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const field = rawHeaders[i];
    if (field === undefined || field.length !== name.length || field.toLowerCase() !== name) continue;
    const value = rawHeaders[i + 1] ?? '';
    if (first === undefined) first = value;
    else if (value === first) repeated = 'alike';
    else return 'different';
  }
  return repeated;
}

function queryTokens(query: string): string[] {
  const parameters = new URLSearchParams(query);
  return [...parameters.getAll('access_token'), ...parameters.getAll('api_key')];
}
