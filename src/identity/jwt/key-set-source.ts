// Fetches an issuer's keys from the configured URL, or from the one that its discovery document names.

import { isJsonObject } from '../../json/strict-json.ts';
import { FetchFailure, isSafeKeySource, type JsonFetcher } from './json-fetcher.ts';

/** Resolves to the members of `keys`, unchecked. @throws FetchFailure */
export type KeySetSource = (signal: AbortSignal) => Promise<readonly unknown[]>;

export interface KeySetAddress {
  readonly issuer: string;
  /** `null` = found by OpenID Connect Discovery. */
  readonly jwksUrl: string | null;
}

/**
 * The address is discovered once, and again after a failure, so that an issuer may move its keys.
 * @see OpenID Connect Discovery 1.0 §4
 */
export function createKeySetSource({ issuer, jwksUrl }: KeySetAddress, fetcher: JsonFetcher): KeySetSource {
  let found = jwksUrl;
  return async (signal) => {
    try {
      found ??= await discover(issuer, fetcher, signal);
      return keysOf(await getSafely(found, fetcher, signal));
    } catch (error) {
      found = jwksUrl;
      throw error;
    }
  };
}

async function discover(issuer: string, fetcher: JsonFetcher, signal: AbortSignal): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await getSafely(url, fetcher, signal).catch((error: unknown) => {
    // Either of two documents can be unavailable: the operator has to know which.
    throw error instanceof FetchFailure ? new FetchFailure(`discovery_${error.reason}`, error) : error;
  });
  if (!isJsonObject(document)) throw new FetchFailure('discovery_malformed');
  // Any other text means that the document is another issuer's (Discovery §4.3).
  if (document['issuer'] !== issuer) throw new FetchFailure('discovery_issuer_differs');
  if (typeof document['jwks_uri'] !== 'string') throw new FetchFailure('discovery_without_jwks_uri');
  return document['jwks_uri'];
}

async function getSafely(url: string, fetcher: JsonFetcher, signal: AbortSignal): Promise<unknown> {
  if (!isSafeKeySource(url)) throw new FetchFailure('not_https');
  return fetcher.get(url, signal);
}

function keysOf(document: unknown): readonly unknown[] {
  if (!isJsonObject(document) || !Array.isArray(document['keys'])) throw new FetchFailure('key_set_malformed');
  return document['keys'];
}
