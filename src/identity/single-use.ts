// Single-use access tokens: good for opening one WebSocket, within a minute. They may stand in a URL, which is where a browser has to
// put them, because nobody who reads the URL later can do anything with them.
import type { Principal } from './principal.ts';

/** The longest life, seconds: enough to open a socket, on a bad network too. */
export const SINGLE_USE_MAX_SECONDS = 60;

export interface SingleUse {
  /** The token's id. */
  readonly id: string;
  /** Epoch seconds. */
  readonly expiresAt: number;
}

/** What makes a principal's credential a single-use one; `null` = it is none. */
export function singleUseOf({ method, claims, expiresAt }: Principal): SingleUse | null {
  if (method !== 'access_token' || claims['single_use'] !== true) return null;
  const id = claims['jti'];
  // Our own tokens always have both.
  return { id: typeof id === 'string' ? id : '', expiresAt: expiresAt ?? 0 };
}

/** Remembers which of them were used, for as long as they could be used again. */
export interface SpentTokens {
  /**
   * @param by unique: the request that opens a socket with it
   * @returns whether this was the first time
   */
  spend(token: SingleUse, by: string): Promise<boolean>;
  /** The socket did not open: the token is good for another try, unless another request has it meanwhile. Never rejects. */
  giveBack(token: SingleUse, by: string): Promise<void>;
}
