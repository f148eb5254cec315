// Single-use tokens that are recorded in a remote store, which is sometimes unreachable.
import { test } from 'tap';
import { Problem } from '../../../src/errors/problems.ts';
import { createSpentTokens } from '../../../src/proxy/websocket/spent-tokens.ts';
import { createMemorySingleUse } from '../../../src/store/memory-single-use.ts';
import type { StoreEvents } from '../../../src/store/store.ts';
import { Unanswered } from '../../../src/store/unanswered.ts';

/** A store that does what it is asked, but whose answers may get lost. */
function setUp() {
  const inner = createMemorySingleUse({ now: () => 0, epochNow: () => 0 });
  const lost = new Problem('store_unavailable', undefined, { cause: new Unanswered() });
  const state = { isAnswering: true };
  let renewed: () => void = () => {};
  async function answered<T>(answer: Promise<T>): Promise<T> {
    const given = await answer;
    if (!state.isAnswering) throw lost;
    return given;
  }
  const tokens = createSpentTokens({
    singleUse: {
      use: (name, by, untilMs) => answered(inner.use(name, by, untilMs)),
      giveBack: (name, by) => (state.isAnswering ? inner.giveBack(name, by) : Promise.reject(lost)),
    },
    listen: ({ onRenewed = () => {} }: Partial<StoreEvents>) => {
      renewed = onRenewed;
    },
  });
  return { tokens, state, renew: () => renewed() };
}

const TOKEN = { id: 'a', expiresAt: 60 };

test('a token spent by a request whose answer was lost is good again once the store is back', async (t) => {
  const { tokens, state, renew } = setUp();
  state.isAnswering = false;
  await t.rejects(tokens.spend(TOKEN, 'one'), { code: 'store_unavailable' });
  state.isAnswering = true;
  t.equal(await tokens.spend(TOKEN, 'two'), false, 'the store is not known to be back yet');
  renew();
  await new Promise(setImmediate);
  t.equal(await tokens.spend(TOKEN, 'two'), true);
  t.equal(await tokens.spend(TOKEN, 'three'), false);
});

test('a token that could not be given back at once is given back later', async (t) => {
  const { tokens, state, renew } = setUp();
  t.equal(await tokens.spend(TOKEN, 'one'), true);
  state.isAnswering = false;
  await tokens.giveBack(TOKEN, 'one');
  state.isAnswering = true;
  t.equal(await tokens.spend(TOKEN, 'two'), false);
  renew();
  await new Promise(setImmediate);
  t.equal(await tokens.spend(TOKEN, 'two'), true);
});
