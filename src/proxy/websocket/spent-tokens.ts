// Records spent single-use tokens in the store, for all replicas that share it.
import type { SingleUse } from '../../identity/single-use.ts';
import { createDebts } from '../../store/debts.ts';
import type { Store } from '../../store/store.ts';
import { mayHaveBeenDone } from '../../store/unanswered.ts';

/** Remembers which single-use tokens were used, for as long as they could be used again. */
export interface SpentTokens {
  /**
   * @param by unique: the request that opens a socket with it
   * @returns whether this was the first time
   */
  spend(token: SingleUse, by: string): Promise<boolean>;
  /** The socket did not open: the token can be used again, unless another request has used it since. Never rejects. */
  giveBack(token: SingleUse, by: string): Promise<void>;
}

export function createSpentTokens({ singleUse, listen }: Pick<Store, 'singleUse' | 'listen'>): SpentTokens {
  const debts = createDebts();
  listen({ onRenewed: () => debts.pay() });
  return {
    async spend({ id, expiresAt }, by) {
      try {
        return await singleUse.use(id, by, expiresAt * 1000);
      } catch (error) {
        // The caller is told to try again, and must not find the token spent by this attempt.
        if (mayHaveBeenDone(error)) debts.add(() => singleUse.giveBack(id, by));
        throw error;
      }
    },
    async giveBack({ id }, by) {
      try {
        await singleUse.giveBack(id, by);
      } catch {
        debts.add(() => singleUse.giveBack(id, by));
      }
    },
  };
}
