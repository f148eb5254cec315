// Budgets as requests meet them: booked before, corrected after. For what is measured while it runs, booked as it goes.
import { randomUUID } from 'node:crypto';
import { type Budget, QUOTA_UNITS, type QuotaUnit } from '../config/budget.ts';
import type { ClientConfig, Config } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';
import type { BookedCounters, BookingAnswer, BudgetLine } from '../store/budgets.ts';
import type { Store } from '../store/store.ts';
import { storeKey } from '../store/store-key.ts';
import type { LeaseTaker } from './leases.ts';
import type { BudgetOwner, LimitObserver } from './limit-event.ts';

/** What was booked for one request. */
export interface Booking {
  /** Corrects it to what was consumed. To be called once. */
  settle(amount: number): void;
}

export interface Quotas {
  /** Whether any budget concerns this. */
  isLimited(unit: QuotaUnit, client: string): boolean;
  /**
   * Books on every budget that concerns it, or on none. An amount of 0 asks whether anything is left.
   * @throws Problem `quota_exceeded`, `store_unavailable`
   */
  book(unit: QuotaUnit, taker: LeaseTaker, amount: number): Promise<Booking>;
  /** Books what is consumed already. Never rejects: the Problem it may resolve to is the end of a budget. */
  consume(unit: QuotaUnit, taker: LeaseTaker, amount: number): Promise<Problem | null>;
  /** Corrections that the store has not heard yet. */
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

/** What is made once, for a unit and a client app; each subject's own line comes to it. */
interface Plan {
  readonly subjectBudget: Budget | null;
  /** That of the client app, also where only its subjects have budgets, and that of the account. */
  readonly shards: readonly Shard[];
}

/** Counters hold whole numbers: thousandths, so that seconds of audio add up. */
const SCALE = 1000;
const ACCOUNT = '';
const MINUTE_MS = 60_000;

export interface QuotasOptions {
  readonly config: Pick<Config, 'clients' | 'limits'>;
  readonly store: Store;
  readonly onEvent: LimitObserver;
}

export function createQuotas({ config, store, onEvent }: QuotasOptions): Quotas {
  const plans = new Map(config.clients.map((client) => [client.name, plansOf(client, config)]));
  const { budgets } = store;
  /** What the store did not hear; told again when it is back. */
  const owed: (() => Promise<unknown>)[] = [];
  store.listen({
    onRenewed: () => {
      for (const pay of owed.splice(0)) pay().catch(() => owed.push(pay));
    },
  });

  function shardsOf(unit: QuotaUnit, { client, subject }: LeaseTaker): readonly Shard[] {
    const plan = plans.get(client)?.[unit];
    if (plan === undefined || plan === null) return [];
    const { subjectBudget, shards } = plan;
    if (subjectBudget === null) return shards;
    const mine = lineOf('subject', storeKey(unit, 'subject', subject), subjectBudget);
    return shards.map((shard) => (shard.name === client ? { name: client, lines: [mine, ...shard.lines] } : shard));
  }

  function settle(shard: string, counters: BookedCounters, by: number): void {
    if (by === 0) return;
    const id = randomUUID();
    const pay = (): Promise<void> => budgets.settle(shard, id, counters, by);
    pay().catch(() => owed.push(pay));
  }

  function spent(unit: QuotaUnit, client: string, { lines }: Shard, { line, endsInMs }: Exceeded): Problem {
    onEvent({ type: 'spent', unit, client, budget: lines[line]?.owner ?? 'client' });
    return exceeded(unit, endsInMs);
  }
  function report(type: 'booked' | 'returned', unit: QuotaUnit, client: string, amount: number): void {
    if (amount > 0) onEvent({ type, unit, client, amount });
  }

  return {
    isLimited: (unit, client) => (plans.get(client)?.[unit] ?? null) !== null,
    get owed() {
      return owed.length;
    },
    async book(unit, taker, amount) {
      const { client } = taker;
      const shards = shardsOf(unit, taker);
      const booked = scaled(amount);
      const answers = await Promise.allSettled(shards.map(({ name, lines }) => budgets.book(name, lines, booked)));
      const give = (by: number): void => {
        for (const [i, { name }] of shards.entries()) {
          const answer = answers[i];
          if (answer?.status !== 'fulfilled' || answer.value.outcome !== 'booked') continue;
          settle(name, answer.value.counters, by);
        }
      };
      for (const [i, shard] of shards.entries()) {
        const answer = answers[i];
        if (answer?.status === 'rejected') {
          give(-booked);
          throw answer.reason;
        }
        if (answer?.value.outcome === 'exceeded') {
          give(-booked);
          throw spent(unit, client, shard, answer.value);
        }
      }
      report('booked', unit, client, amount);
      return {
        settle(consumed) {
          give(scaled(consumed) - booked);
          report('booked', unit, client, consumed - amount);
          report('returned', unit, client, amount - consumed);
        },
      };
    },
    async consume(unit, taker, amount) {
      let problem: Problem | null = null;
      const whole = scaled(amount);
      report('booked', unit, taker.client, amount);
      await Promise.all(
        shardsOf(unit, taker).map(async (shard) => {
          const { name, lines } = shard;
          try {
            const answer = await budgets.consume(name, lines, whole);
            if (answer.outcome === 'exceeded') problem ??= spent(unit, taker.client, shard, answer);
          } catch {
            owed.push(() => budgets.consume(name, lines, whole)); // what runs goes on
          }
        }),
      );
      return problem;
    },
  };
}

type Exceeded = Extract<BookingAnswer, { outcome: 'exceeded' }>;

const scaled = (amount: number): number => Math.round(amount * SCALE);

function plansOf(client: ClientConfig, config: Pick<Config, 'limits'>): Readonly<Record<QuotaUnit, Plan | null>> {
  const entries = QUOTA_UNITS.map((unit) => [unit, planOf(unit, client, config)] as const);
  return Object.fromEntries(entries) as Record<QuotaUnit, Plan | null>; // of all units
}

function planOf(unit: QuotaUnit, { name, limits }: ClientConfig, config: Pick<Config, 'limits'>): Plan | null {
  const { subject, client } = limits.quota[unit];
  const account = config.limits.quota[unit];
  if (subject === null && client === null && account === null) return null;
  const own = client === null ? [] : [lineOf('client', storeKey(unit, 'client'), client)];
  const all = account === null ? [] : [lineOf('account', storeKey(unit, 'account'), account)];
  const shards = [
    ...(subject === null && own.length === 0 ? [] : [{ name, lines: own }]),
    ...(all.length === 0 ? [] : [{ name: ACCOUNT, lines: all }]),
  ];
  return { subjectBudget: subject, shards };
}

function lineOf(owner: BudgetOwner, name: string, { window, max }: Budget): OwnedLine {
  return { owner, name, window, limit: scaled(max) };
}

const UNIT_WORDS: Readonly<Record<QuotaUnit, string>> = {
  characters: 'characters',
  audio_seconds: 'seconds of audio',
  call_seconds: 'seconds of calls',
  mints: 'access tokens',
};

function exceeded(unit: QuotaUnit, endsInMs: number): Problem {
  // Windows end with an hour; the store's clock and ours may differ by a little.
  const until = new Date(Math.round((Date.now() + endsInMs) / MINUTE_MS) * MINUTE_MS).toISOString().slice(0, 16);
  return new Problem('quota_exceeded', `The budget of ${UNIT_WORDS[unit]} is spent. The next one begins at ${until}Z.`);
}
