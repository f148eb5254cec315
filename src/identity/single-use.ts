// Single-use access tokens: each can open one WebSocket, within a minute. They may be in a URL, the only place a browser can put them,
// because they are useless to anybody who reads the URL later.
import type { Principal } from './principal.ts';

/** The longest lifetime, seconds: enough to open a socket even on a bad network. */
export const SINGLE_USE_MAX_SECONDS = 60;

export interface SingleUse {
  /** The token's id. */
  readonly id: string;
  /** Epoch seconds. */
  readonly expiresAt: number;
}

/** The id and expiry of a principal's single-use token; `null` = its credential is not one. */
export function singleUseOf({ method, claims, expiresAt }: Principal): SingleUse | null {
  if (method !== 'access_token' || claims['single_use'] !== true) return null;
  const id = claims['jti'];
  // Our own tokens always have both.
  return { id: typeof id === 'string' ? id : '', expiresAt: expiresAt ?? 0 };
}
