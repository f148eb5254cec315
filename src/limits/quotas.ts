// Books requests on budgets: before they run, corrected afterwards; or as they go, for what is measured while it runs.
import { type Budget, QUOTA_UNITS, type QuotaUnit } from '../config/budget.ts';
import type { ClientConfig, Config } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';
import type { BookedCounters, BookingAnswer, BudgetAsk, BudgetLine } from '../store/budgets.ts';
import { createDebts } from '../store/debts.ts';
import type { MaybePromise } from '../store/maybe-promise.ts';
import type { Store } from '../store/store.ts';
import { storeKey } from '../store/store-key.ts';
import { mayHaveBeenDone } from '../store/unanswered.ts';
import type { LeaseTaker } from './lease.ts';
import type { BudgetOwner, LimitObserver } from './limit-event.ts';
import { Unbooked } from './unbooked.ts';

/** What was booked for one request. */
export interface Booking {
  /** Corrects the booking to what was consumed. To be called once. */
  settle(amount: number): void;
}

export interface Quotas {
  /** Whether any budget of this unit concerns the client app. */
  isLimited(unit: QuotaUnit, client: string): boolean;
  /**
   * Books on every budget that concerns it, or on none. An amount of 0 asks whether anything is left.
   * @returns a plain value where the store is in this process
   * @throws Problem `quota_exceeded`, `store_unavailable`
   */
  book(unit: QuotaUnit, taker: LeaseTaker, amount: number): MaybePromise<Booking>;
  /** Books what has already been consumed. Never rejects; resolves to a Problem if a budget is spent. */
  consume(unit: QuotaUnit, taker: LeaseTaker, amount: number): Promise<Problem | null>;
  /** Calls that the store has not confirmed and that will be repeated. */
  readonly owed: number;
}

interface OwnedLine extends BudgetLine {
  readonly owner: BudgetOwner;
}

/** Lines that one step can book. */
interface Shard {
  readonly name: string;
  readonly lines: readonly OwnedLine[];
}

/** The shards for a unit and a client app, made once: the client app's, if it or its subjects have budgets, and the account's. */
type Plan = readonly Shard[];

/** One shard's part in a booking. */
interface Part {
  readonly shard: string;
  readonly ask: BudgetAsk & { readonly lines: readonly OwnedLine[] };
}

/** What is booked, and for which client app. */
interface Bill {
  readonly unit: QuotaUnit;
  readonly client: string;
  readonly amount: number;
}

/** Counters hold whole numbers, so they count thousandths: fractions of a second of audio add up. */
const SCALE = 1000;
const ACCOUNT = '';
const HOUR_MS = 3_600_000;

export interface QuotasOptions {
  readonly config: Pick<Config, 'clients' | 'limits'>;
  readonly store: Store;
  readonly onEvent: LimitObserver;
}

export function createQuotas({ config, store, onEvent }: QuotasOptions): Quotas {
  const plans = new Map(config.clients.map((client) => [client.name, plansOf(client, config)]));
  const { budgets, replica } = store;
  const debts = createDebts();
  const unbooked = new Unbooked(budgets, debts);
  let booked = 0;
  store.listen({ onRenewed: () => debts.pay() });

  function partsOf({ unit, client, amount }: Bill, subject: string): readonly Part[] {
    const plan = plans.get(client)?.[unit] ?? NO_PLAN;
    booked += 1;
    const id = `${replica}/${booked}`;
    const scaledAmount = scaled(amount);
    return plan.map(({ name, lines }) => ({ shard: name, ask: { id, lines, subject, amount: scaledAmount } }));
  }

  function settle({ shard, ask }: Part, counters: BookedCounters, by: number): void {
    if (by === 0) return;
    const pay = (): MaybePromise<void> => budgets.settle(shard, ask.id, counters, by);
    const paid = pay();
    if (paid instanceof Promise) paid.catch(() => debts.add(pay));
  }

  function spent({ unit, client, amount }: Bill, { ask }: Part, { line, endsInMs }: Exceeded): Problem {
    onEvent({ type: 'spent', unit, client, budget: ask.lines[line]?.owner ?? 'client' });
    return exceeded(unit, amount, endsInMs);
  }
  function report(type: 'booked' | 'returned', { unit, client }: Bill, amount: number): void {
    if (amount > 0) onEvent({ type, unit, client, amount });
  }

  /** Combines the answers of all shards. @throws Problem if one refused; the others are then corrected back */
  function decided(bill: Bill, parts: readonly Part[], answers: readonly (BookingAnswer | Failure)[]): Booking {
    const give = (by: number): void => {
      for (const [i, part] of parts.entries()) {
        const answer = answers[i];
        if (answer?.outcome === 'booked') settle(part, answer.counters, by);
      }
    };
    const whole = scaled(bill.amount);
    for (const [i, part] of parts.entries()) {
      const answer = answers[i];
      if (answer === undefined || answer.outcome === 'booked') continue;
      give(-whole);
      throw answer.outcome === 'exceeded' ? spent(bill, part, answer) : answer.problem;
    }
    report('booked', bill, bill.amount);
    return {
      settle(consumed) {
        give(scaled(consumed) - whole);
        report('booked', bill, consumed - bill.amount);
        report('returned', bill, bill.amount - consumed);
      },
    };
  }

  async function heard({ shard, ask }: Part, answer: MaybePromise<BookingAnswer>): Promise<BookingAnswer | Failure> {
    try {
      return await answer;
    } catch (problem) {
      if (mayHaveBeenDone(problem) && ask.amount > 0) debts.add(() => budgets.withdraw(shard, ask));
      return { outcome: 'failed', problem };
    }
  }

  return {
    isLimited: (unit, client) => (plans.get(client)?.[unit] ?? NO_PLAN).length > 0,
    get owed() {
      return debts.open;
    },
    book(unit, { client, subject }, amount) {
      const bill = { unit, client, amount };
      const parts = partsOf(bill, subject);
      const answers = parts.map(({ shard, ask }) => budgets.book(shard, ask));
      if (answers.every(isAtHand)) return decided(bill, parts, answers);
      return Promise.all(parts.map((part, i) => heard(part, answers[i] as MaybePromise<BookingAnswer>))) // one for each part
        .then((all) => decided(bill, parts, all));
    },
    async consume(unit, { client, subject }, amount) {
      const bill = { unit, client, amount };
      let problem: Problem | null = null;
      report('booked', bill, amount);
      await Promise.all(
        partsOf(bill, subject).map(async (part) => {
          const { shard, ask } = part;
          try {
            const answer = await budgets.consume(shard, ask);
            if (answer.outcome === 'exceeded') problem ??= spent({ ...bill, amount: 0 }, part, answer);
          } catch (error) {
            unbooked.add(shard, ask, error); // a running request goes on
          }
        }),
      );
      return problem;
    },
  };
}

const NO_PLAN: Plan = [];

interface Failure {
  readonly outcome: 'failed';
  readonly problem: unknown;
}

function isAtHand<T extends object>(answer: MaybePromise<T>): answer is T {
  return !(answer instanceof Promise);
}

type Exceeded = Extract<BookingAnswer, { outcome: 'exceeded' }>;

const scaled = (amount: number): number => Math.round(amount * SCALE);

function plansOf(client: ClientConfig, config: Pick<Config, 'limits'>): Readonly<Record<QuotaUnit, Plan>> {
  const entries = QUOTA_UNITS.map((unit) => [unit, planOf(unit, client, config)] as const);
  return Object.fromEntries(entries) as Record<QuotaUnit, Plan>; // of all units
}

function planOf(unit: QuotaUnit, { name, limits }: ClientConfig, config: Pick<Config, 'limits'>): Plan {
  const { subject, client } = limits.quota[unit];
  const account = config.limits.quota[unit];
  const own = [
    ...(subject === null ? [] : [lineOf('subject', unit, subject)]),
    ...(client === null ? [] : [lineOf('client', unit, client)]),
  ];
  return [
    ...(own.length === 0 ? [] : [{ name, lines: own }]),
    ...(account === null ? [] : [{ name: ACCOUNT, lines: [lineOf('account', unit, account)] }]),
  ];
}

function lineOf(owner: BudgetOwner, unit: QuotaUnit, { window, max }: Budget): OwnedLine {
  return { owner, name: storeKey(unit, owner, window), isOfSubject: owner === 'subject', window, limit: scaled(max) };
}

const UNIT_WORDS: Readonly<Record<QuotaUnit, string>> = {
  characters: 'characters',
  audio_seconds: 'seconds of audio',
  call_seconds: 'seconds of calls',
  mints: 'access tokens',
};

function exceeded(unit: QuotaUnit, amount: number, endsInMs: number): Problem {
  // Windows end on the hour; the store's clock and ours differ by less than half an hour.
  const until = new Date(Math.round((Date.now() + endsInMs) / HOUR_MS) * HOUR_MS).toISOString().slice(0, 16);
  const what = amount > 1 ? `has less left than the ${amount} that this needs` : 'is spent';
  const message = `The budget of ${UNIT_WORDS[unit]} ${what}. The next period begins at ${until}Z.`;
  return new Problem('quota_exceeded', message, { retryAfterSeconds: endsInMs / 1000 });
}
