// Budgets as requests meet them: booked before, corrected after. For what is measured while it runs, booked as it goes.
import { randomUUID } from 'node:crypto';
import { type Budget, QUOTA_UNITS, type QuotaUnit } from '../config/budget.ts';
import type { ClientConfig, Config } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';
import type { BookingAnswer, BudgetLine } from '../store/budgets.ts';
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
  const clients = new Map(config.clients.map((client) => [client.name, client]));
  const { budgets } = store;
  const limited = new Set(
    config.clients.flatMap((client) =>
      QUOTA_UNITS.filter((unit) => isBound(unit, client, config)).map((unit) => storeKey(unit, client.name)),
    ),
  );
  /** What the store did not hear; told again when it is back. */
  const owed: (() => Promise<unknown>)[] = [];
  store.listen({
    onRenewed: () => {
      for (const pay of owed.splice(0)) pay().catch(() => owed.push(pay));
    },
  });

  /** Those of the client app, and those of the account. */
  function shardsOf(unit: QuotaUnit, { client, subject }: LeaseTaker): readonly Shard[] {
    const quota = clients.get(client)?.limits.quota[unit];
    const own = [
      ...lineOf('subject', storeKey(unit, 'subject', subject), quota?.subject),
      ...lineOf('client', storeKey(unit, 'client'), quota?.client),
    ];
    const all = lineOf('account', storeKey(unit, 'account'), config.limits.quota[unit]);
    return [
      { name: client, lines: own },
      { name: ACCOUNT, lines: all },
    ].filter(({ lines }) => lines.length > 0);
  }

  function settle(shard: string, counters: readonly string[], by: number): void {
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
    isLimited: (unit, client) => limited.has(storeKey(unit, client)),
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

function isBound(unit: QuotaUnit, { limits }: ClientConfig, config: Pick<Config, 'limits'>): boolean {
  const { subject, client } = limits.quota[unit];
  return subject !== null || client !== null || config.limits.quota[unit] !== null;
}

function lineOf(owner: BudgetOwner, name: string, budget: Budget | null | undefined): readonly OwnedLine[] {
  if (budget === null || budget === undefined) return [];
  return [{ owner, name, window: budget.window, limit: scaled(budget.max) }];
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
