// Consumption that could not be booked because the store was out of reach. It is added up per budget and subject until it can be, so that
// thousands of open sockets that report every few seconds cost one pending call each, however long the store is away.
import type { BudgetAsk, BudgetStore } from '../store/budgets.ts';
import type { Debts } from '../store/debts.ts';
import { storeKey } from '../store/store-key.ts';
import { mayHaveBeenDone } from '../store/unanswered.ts';

interface Sum {
  readonly shard: string;
  readonly ask: BudgetAsk;
  /** Grows until the call is sent; from then on its id stands for this amount. */
  amount: number;
}

export class Unbooked {
  readonly #budgets: Pick<BudgetStore, 'consume'>;
  readonly #debts: Pick<Debts, 'add'>;
  /** Sums that have not been sent, to which more may be added. */
  readonly #growing = new Map<string, Sum>();

  constructor(budgets: Pick<BudgetStore, 'consume'>, debts: Pick<Debts, 'add'>) {
    this.#budgets = budgets;
    this.#debts = debts;
  }

  /** @param error with which `consume` failed */
  add(shard: string, ask: BudgetAsk, error: unknown): void {
    const key = keyOf(shard, ask);
    const isSent = mayHaveBeenDone(error);
    const growing = this.#growing.get(key);
    if (!isSent && growing !== undefined) {
      growing.amount += ask.amount;
      return;
    }
    const sum: Sum = { shard, ask, amount: ask.amount };
    if (!isSent) this.#growing.set(key, sum);
    this.#debts.add(() => this.#pay(key, sum));
  }

  async #pay(key: string, sum: Sum): Promise<void> {
    const { shard, ask, amount } = sum;
    const wasGrowing = this.#growing.get(key) === sum;
    if (wasGrowing) this.#growing.delete(key); // consumption reported during the call is not part of it
    try {
      await this.#budgets.consume(shard, { ...ask, amount });
    } catch (error) {
      if (wasGrowing && !mayHaveBeenDone(error) && !this.#growing.has(key)) this.#growing.set(key, sum);
      throw error;
    }
  }
}

function keyOf(shard: string, { subject, lines }: BudgetAsk): string {
  return storeKey(shard, subject, ...lines.map(({ name }) => name));
}
