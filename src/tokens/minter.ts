// What a minter is. One per delivery: `direct` asks Cartesia, `proxied` signs.
import type { Grant } from '../config/grant.ts';
import type { Principal } from '../identity/principal.ts';
import type { AccessToken } from './access-token.ts';

export interface MintOrder {
  readonly principal: Principal;
  /** Never empty. */
  readonly grants: readonly Grant[];
  readonly lifetimeSeconds: number;
  /** For one WebSocket; delivery `proxied` only. */
  readonly isSingleUse?: boolean;
  /** Cartesia-Version, YYYY-MM-DD. */
  readonly version: string;
}

export interface Minted extends AccessToken {
  /** It was minted for an earlier request of the same subject, or for one at the same time. */
  readonly isReused: boolean;
  /** Upstream's id of the call that made it; `null` where upstream was not asked. */
  readonly upstreamRequestId: string | null;
  /** Time spent upstream; `null` where it was not asked. */
  readonly upstreamMs: number | null;
}

export interface Minter {
  /** A token that costs nothing: one that the subject has and that is still fresh, or one that is being made for the same order. */
  recall(order: MintOrder): Minted | Promise<Minted> | null;
  /** Rejects with a Problem. */
  mint(order: MintOrder): Minted | Promise<Minted>;
}
