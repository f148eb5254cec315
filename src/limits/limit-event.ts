// Events of what limits do to callers, for the metrics. No event names a subject.
import type { QuotaUnit } from '../config/budget.ts';
import type { LeaseKind } from '../store/lease-rules.ts';

/** How an ask for a lease ended. */
export type LeaseOutcome =
  /** At once. */
  | 'granted'
  /** After a wait. */
  | 'waited'
  /** Nothing was free, and the queue had no place. */
  | 'queue_full'
  /** Nothing became free in time. */
  | 'wait_over'
  | 'store_unavailable'
  /** The caller went away, or the broker was draining. */
  | 'left';

/** Whose budget. */
export type BudgetOwner = 'subject' | 'client' | 'account';

export type LimitEvent =
  | {
      readonly type: 'lease';
      readonly kind: LeaseKind;
      readonly client: string;
      readonly outcome: LeaseOutcome;
      /** From the ask to its outcome. */
      readonly waitedMs: number;
    }
  /** Cartesia refused what held a lease: the limit is lowered for a while. */
  | { readonly type: 'refused_upstream'; readonly kind: LeaseKind }
  | { readonly type: 'booked'; readonly unit: QuotaUnit; readonly client: string; readonly amount: number }
  /** Booked, but not consumed in the end. */
  | { readonly type: 'returned'; readonly unit: QuotaUnit; readonly client: string; readonly amount: number }
  | { readonly type: 'spent'; readonly unit: QuotaUnit; readonly client: string; readonly budget: BudgetOwner }
  /** A caller that is shut out was refused. */
  | { readonly type: 'shut_out'; readonly client: string }
  /** Something that was running was ended by the operator. */
  | { readonly type: 'cut'; readonly client: string; readonly reason: 'revoked' | 'killed' };

export type LimitObserver = (event: LimitEvent) => void;
