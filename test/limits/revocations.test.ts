import { type Test, test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import type { LimitEvent } from '../../src/limits/limit-event.ts';
import { type Caller, createRevocations, type Revocations } from '../../src/limits/revocations.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import type { Revocation } from '../../src/store/revocations.ts';
import type { Store, StoreEvents } from '../../src/store/store.ts';

const ANN: Caller = { client: 'web', subject: 'ann', method: 'access_token', claims: { jti: 'one' } };
const BOB: Caller = { client: 'web', subject: 'bob', method: 'jwt', claims: { jti: 'one' } };
const EVE: Caller = { client: 'ios', subject: 'ann', method: 'app_key', claims: {} };
const FAR = Date.now() + 3_600_000;

function revocationsOf(t: Test, store: Store): { revocations: Revocations; events: LimitEvent[] } {
  const events: LimitEvent[] = [];
  const revocations = createRevocations({ store, onEvent: (event) => events.push(event) });
  t.teardown(() => revocations.close());
  return { revocations, events };
}

const CASES: readonly [Revocation, readonly Caller[]][] = [
  [{ scope: 'everything' }, [ANN, BOB, EVE]],
  [{ scope: 'client', client: 'web' }, [ANN, BOB]],
  [{ scope: 'subject', client: 'web', subject: 'ann' }, [ANN]],
  // The id of a JWT is chosen by its issuer, so it may equal that of one of our tokens.
  [{ scope: 'token', token: 'one', untilMs: FAR }, [ANN]],
];

test('exactly the revoked callers are refused, until they are restored', async (t) => {
  const { revocations, events } = revocationsOf(t, createMemoryStore());
  await revocations.known;
  for (const [one, shutOut] of CASES) {
    await revocations.add(one);
    t.strictSame(revocations.list(), [one]);
    const refused = [ANN, BOB, EVE].filter((caller) => revocations.refusalOf(caller) !== null);
    t.strictSame(refused, shutOut, one.scope);
    for (const caller of shutOut) t.throws(() => revocations.check(caller), { code: 'token_revoked' }, one.scope);
    t.equal(await revocations.remove(one), true);
    t.strictSame(revocations.list(), [], 'known as soon as it is done');
    t.equal(await revocations.remove(one), false);
    for (const caller of [ANN, BOB, EVE]) t.doesNotThrow(() => revocations.check(caller), 'let in again');
  }
  t.strictSame(
    events,
    CASES.flatMap(([, shutOut]) => shutOut.map(({ client }) => ({ type: 'shut_out', client }))),
  );
});

test('a caller is told whether it or only its token was revoked', async (t) => {
  const { revocations } = revocationsOf(t, createMemoryStore());
  await revocations.add({ scope: 'token', token: 'one', untilMs: FAR });
  t.match(revocations.refusalOf(ANN), { message: 'The access token has been revoked.' });
  await revocations.add({ scope: 'client', client: 'ios' });
  t.match(revocations.refusalOf(EVE), { message: 'The operator has shut this caller out.' });
});

/** A remote list, whose answers the test controls. */
function remote() {
  const listeners: Partial<StoreEvents>[] = [];
  const list: Revocation[] = [];
  const asked: (() => void)[] = [];
  const state = { version: 1, isSlow: false, isFailing: false, state: 'up' as Store['state'], lists: 0 };
  let look: () => void = () => {};
  const store: Store = {
    ...createMemoryStore(),
    isShared: true,
    get state() {
      return state.state;
    },
    revocations: {
      async version() {
        look();
        return String(state.version);
      },
      async list() {
        state.lists += 1;
        if (state.isFailing) throw new Problem('store_unavailable');
        const now = [...list];
        if (state.isSlow) await new Promise<void>((resolve) => asked.push(resolve));
        return now;
      },
      async add(one) {
        if (state.isFailing) throw new Problem('store_unavailable');
        list.push(one);
        state.version += 1;
      },
      remove: async () => false,
    },
    listen: (events) => void listeners.push(events),
  };
  const tell = (what: 'onRevocations' | 'onRenewed'): void => {
    for (const one of listeners) one[what]?.();
  };
  /** Resolves when the version is next asked for. */
  const looked = (): Promise<void> =>
    new Promise((resolve) => {
      look = resolve;
    });
  return { store, list, asked, state, tell, looked };
}

const turn = (): Promise<void> => new Promise(setImmediate);

test('while the revocations are unknown nobody is let in, and running work continues', async (t) => {
  const { store, state, tell } = remote();
  const { revocations } = revocationsOf(t, store);
  const unavailable = { code: 'store_unavailable', details: { retryAfterSeconds: 1 } };
  t.throws(() => revocations.check(ANN), unavailable, 'the list has never been loaded');
  t.equal(revocations.refusalOf(ANN), null);
  state.isFailing = true;
  tell('onRenewed');
  await turn();
  t.throws(() => revocations.check(ANN), unavailable, 'still not loaded');
  await t.rejects(revocations.add({ scope: 'everything' }), { code: 'store_unavailable' });
  state.isFailing = false;
  tell('onRenewed');
  await revocations.known;
  t.doesNotThrow(() => revocations.check(ANN));
  state.state = 'away';
  t.throws(() => revocations.check(ANN), unavailable);
  t.equal(revocations.refusalOf(ANN), null);
});

test('a change that arrives while the list is loading is seen, and listeners are called once it is known', async (t) => {
  const { store, list, asked, state, tell } = remote();
  const { revocations } = revocationsOf(t, store);
  let told = 0;
  revocations.onChange(() => (told += 1));
  state.isSlow = true;
  tell('onRevocations');
  await turn();
  list.push({ scope: 'client', client: 'web' });
  tell('onRevocations');
  t.equal(asked.length, 1, 'one question at a time');
  asked[0]?.();
  await turn();
  t.strictSame([asked.length, told], [2, 1], 'it is asked once more');
  asked[1]?.();
  await turn();
  t.strictSame([asked.length, told], [2, 2]);
  t.throws(() => revocations.check(ANN), { code: 'token_revoked' });
});

test('what is known is told even if the list cannot be loaded once more', async (t) => {
  const { store, list, asked, state, tell } = remote();
  const { revocations } = revocationsOf(t, store);
  let told = 0;
  revocations.onChange(() => (told += 1));
  list.push({ scope: 'client', client: 'web' });
  state.isSlow = true;
  tell('onRevocations');
  tell('onRenewed');
  await turn();
  asked[0]?.();
  state.isFailing = true; // from now on
  for (let turns = 0; turns < 5; turns += 1) await turn();
  t.throws(() => revocations.checkAgain(ANN), { code: 'token_revoked' });
  t.equal(told, 1, 'its sessions can be ended');
});

test('a list of before a standstill is not trusted until it was looked at again', async (t) => {
  const { store, list, state, tell } = remote();
  const clock = { monotonic: 0, epoch: 1_000_000_000 };
  const revocations = createRevocations({ store, onEvent: () => {}, now: () => ({ ...clock }) });
  t.teardown(() => revocations.close());
  tell('onRenewed');
  await revocations.known;
  clock.monotonic += 5_000;
  clock.epoch += 5_000;
  t.doesNotThrow(() => revocations.check(ANN));
  clock.epoch -= 3_600_000;
  t.doesNotThrow(() => revocations.check(ANN), 'the time of day may be set back');
  clock.monotonic += 1;
  t.throws(() => revocations.check(ANN), { code: 'store_unavailable', details: { retryAfterSeconds: 1 } });
  await turn();
  t.doesNotThrow(() => revocations.check(ANN), 'the refusal itself made it look');
  list.push({ scope: 'client', client: 'web' });
  state.version += 1;
  clock.epoch += 5_001; // a suspended machine: its other clock stood still
  t.throws(() => revocations.check(ANN), { code: 'store_unavailable' });
  await turn();
  t.throws(() => revocations.check(ANN), { code: 'token_revoked' });
});

test('a token that has expired by itself is no longer listed, although nothing else has changed', async (t) => {
  const clock = { monotonic: 0, epoch: FAR - 3_600_000 };
  const revocations = createRevocations({ store: createMemoryStore(), onEvent: () => {}, now: () => ({ ...clock }) });
  const [token, client] = [
    { scope: 'token', token: 'one', untilMs: FAR },
    { scope: 'client', client: 'ios' },
  ] as const;
  for (const one of [token, client]) await revocations.add(one);
  clock.epoch = FAR - 1;
  t.strictSame(revocations.list(), [token, client]);
  clock.epoch = FAR;
  t.strictSame(revocations.list(), [client]);
});

test('a change without a notification is found within a second, and only changes are loaded', async (t) => {
  const { store, state, tell, looked } = remote();
  const { revocations } = revocationsOf(t, store);
  tell('onRevocations');
  await revocations.known;
  const awake = setInterval(() => {}, 1_000); // the poll timer does not keep the process alive
  await looked();
  await turn();
  t.equal(state.lists, 1);
  const told = new Promise<void>((resolve) => revocations.onChange(resolve));
  await store.revocations.add({ scope: 'client', client: 'web' });
  await told;
  clearInterval(awake);
  t.equal(state.lists, 2);
  t.throws(() => revocations.check(ANN), { code: 'token_revoked' });
});
