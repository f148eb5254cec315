// The interface of minters, one per delivery: `direct` asks Cartesia, `proxied` signs.
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
  /** Whether it was minted for an earlier or concurrent request of the same subject. */
  readonly isReused: boolean;
  /** Upstream's id of the call that made it; `null` if upstream was not asked. */
  readonly upstreamRequestId: string | null;
  /** Time spent upstream; `null` if it was not asked. */
  readonly upstreamMs: number | null;
  /** Shared by all requests that get this token. */
  readonly audit: MintAudit;
}

export interface MintAudit {
  /** A request's audit line reports the token as newly minted. The lines of all others say that it is reused. */
  isReported: boolean;
}

export interface Minter {
  /** A token that needs no mint of its own: the subject's last one if still fresh, or one being minted for the same order. `null` = none. */
  recall(order: MintOrder): Minted | Promise<Minted> | null;
  /** Rejects with a Problem. */
  mint(order: MintOrder): Minted | Promise<Minted>;
}
