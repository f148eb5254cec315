// Delivery `direct`: Cartesia's own access tokens, asked for with our key.

import { storeKey } from '../store/store-key.ts';
import type { TokenClient } from '../upstream/token-client.ts';
import type { Minted, Minter, MintOrder } from './minter.ts';

export interface DirectMinterOptions {
  readonly client: TokenClient;
  /** Hand a subject its still fresh token again. */
  readonly reuse: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Most tokens kept for reuse; the oldest goes first. */
  readonly reuseMax?: number;
}

/** A token is handed out again only while at least this much of its life is left. */
const REUSE_UNTIL_LEFT = 0.5;

/**
 * Identical orders of one subject that are in flight are one upstream call: everything that changes the token is in the key,
 * the subject too, so nobody is handed a token that was minted for somebody else.
 */
export function createDirectMinter(options: DirectMinterOptions): Minter {
  const { client, reuse, now, reuseMax = 10_000 } = options;
  /** What is over is taken out of its entry, too: a map's old tables keep entries for a while (see collections/live-list.ts). */
  const inFlight = new Map<string, { call: Promise<Minted> | null }>();
  const fresh = new Map<string, Minted>();

  function remember(key: string, minted: Minted): void {
    fresh.delete(key);
    fresh.set(key, minted);
    if (fresh.size <= reuseMax) return;
    const oldest = fresh.keys().next();
    if (!oldest.done) fresh.delete(oldest.value);
  }

  async function ask(order: MintOrder): Promise<Minted> {
    // Before the call: the token may start to age as soon as upstream has made it.
    const askedAtMs = now();
    const answer = await client.mint({
      grants: order.grants,
      expiresInSeconds: order.lifetimeSeconds,
      version: order.version,
    });
    return {
      token: answer.token,
      expiresAtMs: askedAtMs + order.lifetimeSeconds * 1000,
      lifetimeSeconds: order.lifetimeSeconds,
      isReused: false,
      upstreamRequestId: answer.requestId,
      upstreamMs: answer.upstreamMs,
    };
  }

  return {
    recall(order) {
      if (!isShared(order)) return null;
      const key = keyOf(order);
      const kept = fresh.get(key);
      if (kept !== undefined && kept.expiresAtMs - now() >= kept.lifetimeSeconds * 1000 * REUSE_UNTIL_LEFT)
        return again(kept);
      return inFlight.get(key)?.call?.then(again) ?? null;
    },

    mint(order) {
      if (!isShared(order)) return ask(order);
      const key = keyOf(order);
      const running = inFlight.get(key)?.call ?? null; // begun while the budget was asked
      if (running !== null) return running.then(again);

      const entry: { call: Promise<Minted> | null } = { call: null };
      const call = ask(order).finally(() => {
        entry.call = null;
        inFlight.delete(key);
      });
      entry.call = call;
      inFlight.set(key, entry);
      if (!reuse) return call;
      return call.then((minted) => {
        remember(key, minted);
        return minted;
      });
    },
  };
}

/** Whoever says nothing about himself may be anybody: each gets a token of his own. */
function isShared({ principal }: MintOrder): boolean {
  return principal.method !== 'anonymous';
}

function keyOf({ principal, grants, lifetimeSeconds, version }: MintOrder): string {
  return storeKey(principal.client, principal.subject, grants.join(), String(lifetimeSeconds), version);
}

/** For one more request: Cartesia is not asked for it. */
function again(minted: Minted): Minted {
  return { ...minted, isReused: true, upstreamMs: null };
}
