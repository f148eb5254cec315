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
  spend(token: SingleUse, by: string): boolean | Promise<boolean>;
  /** The socket did not open: the token is good for another try, unless another request has it meanwhile. Never rejects. */
  giveBack(token: SingleUse, by: string): void | Promise<void>;
}

/** For one replica. @param now epoch milliseconds */
export function createSpentTokens(now: () => number): SpentTokens {
  /** By id, in the order of use. All live equally long, about, so the old ones are in front. */
  const spent = new Map<string, { readonly by: string; readonly expiresAtMs: number }>();

  function forgetExpired(): void {
    for (const [id, { expiresAtMs }] of spent) {
      if (expiresAtMs > now()) return;
      spent.delete(id);
    }
  }

  return {
    spend({ id, expiresAt }, by) {
      forgetExpired();
      if (spent.has(id)) return false;
      // Kept for the whole possible life, so that one with a short life behind one with a long one does not pile up.
      spent.set(id, { by, expiresAtMs: Math.max(expiresAt * 1000, now() + SINGLE_USE_MAX_SECONDS * 1000) });
      return true;
    },
    giveBack({ id }, by) {
      if (spent.get(id)?.by === by) spent.delete(id);
    },
  };
}
