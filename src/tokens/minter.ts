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
  /** Set when this token was minted for an earlier request of the same subject: now, epoch milliseconds. */
  readonly reusedAtMs: number | null;
  /** Upstream's id of the call that made it; `null` where upstream was not asked. */
  readonly upstreamRequestId: string | null;
  /** Time spent upstream; `null` where it was not asked. */
  readonly upstreamMs: number | null;
}

export interface Minter {
  /** Rejects with a Problem. */
  mint(order: MintOrder): Minted | Promise<Minted>;
}
