// Delivery `direct`: Cartesia's own access tokens, minted with our API key.

import { storeKey } from '../store/store-key.ts';
import type { TokenClient } from '../upstream/token-client.ts';
import type { Minted, Minter, MintOrder } from './minter.ts';

export interface DirectMinterOptions {
  readonly client: TokenClient;
  /** Whether a subject gets a token again that is still fresh. */
  readonly reuse: boolean;
  /** Epoch milliseconds. */
  readonly now: () => number;
  readonly monotonicNow?: () => number;
  /** Most tokens kept for reuse; the oldest goes first. */
  readonly reuseMax?: number;
}

/** A token is handed out again only while at least this much of its life is left. */
const REUSE_UNTIL_LEFT = 0.5;
/** How much more life a token may seem to have by the time of day than it has. Milliseconds. */
const CLOCK_SLACK_MS = 1_000;

interface Fresh {
  readonly minted: Minted;
  /** When it was asked for, monotonic milliseconds. */
  readonly askedAtMs: number;
}

/**
 * Identical orders of one subject that are in flight share one upstream call. Their key holds everything that affects the token,
 * the subject included, so nobody gets a token that was minted for somebody else.
 */
export function createDirectMinter(options: DirectMinterOptions): Minter {
  const { client, reuse, now, monotonicNow = () => performance.now(), reuseMax = 10_000 } = options;
  /** A call that is over is also removed from its entry, since a Map's old tables keep entries for a while (see collections/live-list.ts). */
  const inFlight = new Map<string, { call: Promise<Minted> | null }>();
  const fresh = new Map<string, Fresh>();

  function remember(key: string, one: Fresh): void {
    fresh.delete(key);
    fresh.set(key, one);
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
      audit: { isReported: false },
    };
  }

  /** The clock that runs on is asked too: by one that was set back, a token looks fresh long after it has expired at Cartesia. */
  function isFresh({ minted: { expiresAtMs, lifetimeSeconds }, askedAtMs }: Fresh): boolean {
    const lifetimeMs = lifetimeSeconds * 1000;
    const leftMs = expiresAtMs - now();
    return (
      leftMs >= lifetimeMs * REUSE_UNTIL_LEFT && leftMs <= askedAtMs + lifetimeMs - monotonicNow() + CLOCK_SLACK_MS
    );
  }

  function known(key: string): Minted | Promise<Minted> | null {
    const kept = fresh.get(key);
    if (kept !== undefined && isFresh(kept)) return again(kept.minted);
    return inFlight.get(key)?.call?.then(again) ?? null;
  }

  return {
    recall: (order) => (isShared(order) ? known(keyOf(order)) : null),

    mint(order) {
      if (!isShared(order)) return ask(order);
      const key = keyOf(order);
      const other = known(key); // begun, and perhaps completed, while the budget was being checked
      if (other !== null) return other;

      const askedAtMs = monotonicNow();
      const entry: { call: Promise<Minted> | null } = { call: null };
      const call = ask(order)
        .then((minted) => {
          if (reuse) remember(key, { minted, askedAtMs });
          return minted;
        })
        .finally(() => {
          entry.call = null;
          inFlight.delete(key);
        });
      entry.call = call;
      inFlight.set(key, entry);
      return call;
    },
  };
}

/** Anonymous callers may be anybody, so each request gets a token of its own. */
function isShared({ principal }: MintOrder): boolean {
  return principal.method !== 'anonymous';
}

function keyOf({ principal, grants, lifetimeSeconds, version }: MintOrder): string {
  return storeKey(principal.client, principal.subject, grants.join(), String(lifetimeSeconds), version);
}

/** The same token for another request, which causes no call to Cartesia. */
function again(minted: Minted): Minted {
  return { ...minted, isReused: true, upstreamMs: null };
}
