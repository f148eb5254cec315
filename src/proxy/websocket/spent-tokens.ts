// Single-use tokens that were used, as the store remembers them: all replicas together, where they share one.
import type { SpentTokens } from '../../identity/single-use.ts';
import { createDebts } from '../../store/debts.ts';
import type { Store } from '../../store/store.ts';
import { mayHaveBeenDone } from '../../store/unanswered.ts';

export function createSpentTokens({ singleUse, listen }: Pick<Store, 'singleUse' | 'listen'>): SpentTokens {
  const debts = createDebts();
  listen({ onRenewed: () => debts.pay() });
  return {
    async spend({ id, expiresAt }, by) {
      try {
        return await singleUse.use(id, by, expiresAt * 1000);
      } catch (error) {
        // Whoever is told to try again must not find it spent by that.
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
