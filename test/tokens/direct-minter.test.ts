import { test } from 'tap';
import { Problem } from '../../src/errors/problems.ts';
import { createDirectMinter } from '../../src/tokens/direct-minter.ts';
import type { MintOrder } from '../../src/tokens/minter.ts';
import type { TokenClient, UpstreamToken } from '../../src/upstream/token-client.ts';
import { principalOf } from './principal.ts';

interface Asked {
  readonly wish: Parameters<TokenClient['mint']>[0];
  answer(token: string): void;
  fail(problem: Problem): void;
}

/** A token client whose calls the test answers by hand. The real client has its own tests. */
function askedByHand() {
  const asked: Asked[] = [];
  const client = {
    mint: (wish: Asked['wish']) =>
      new Promise<UpstreamToken>((resolve, reject) => {
        asked.push({ wish, answer: (token) => resolve({ token, requestId: 'req-1', upstreamMs: 7 }), fail: reject });
      }),
  } as TokenClient; // the minter uses nothing else
  return { client, asked };
}

const ORDER: MintOrder = { principal: principalOf(), grants: ['tts'], lifetimeSeconds: 300, version: '2026-03-01' };

test('the lifetime counts from before the call to upstream', async (t) => {
  const { client, asked } = askedByHand();
  let now = 1_000_000;
  const minting = createDirectMinter({ client, reuse: false, now: () => now }).mint(ORDER);
  now += 1200;
  asked[0]?.answer('a-token');
  t.strictSame(await minting, {
    token: 'a-token',
    expiresAtMs: 1_300_000,
    lifetimeSeconds: 300,
    isReused: false,
    upstreamRequestId: 'req-1',
    upstreamMs: 7,
    audit: { isReported: false },
  });
  t.strictSame(asked[0]?.wish, { grants: ['tts'], expiresInSeconds: 300, version: '2026-03-01' });
});

test('identical orders in progress share one call, and any difference in the token makes another', async (t) => {
  const { client, asked } = askedByHand();
  const minter = createDirectMinter({ client, reuse: false, now: () => 0 });
  const same = [minter.mint(ORDER), minter.mint({ ...ORDER }), minter.mint(ORDER)];
  const others = [
    minter.mint({ ...ORDER, principal: principalOf({ subject: 'user-2' }) }),
    minter.mint({ ...ORDER, principal: principalOf({ client: 'ios' }) }),
    minter.mint({ ...ORDER, grants: ['stt'] }),
    minter.mint({ ...ORDER, lifetimeSeconds: 60 }),
    minter.mint({ ...ORDER, version: '2026-08-14' }),
    // Client and subject must not be confused when joined into one key.
    minter.mint({ ...ORDER, principal: principalOf({ client: 'we', subject: 'buser-1' }) }),
  ];
  t.equal(asked.length, 1 + others.length);
  const recalled = minter.recall(ORDER);
  for (const [i, one] of asked.entries()) one.answer(`token-${i}`);
  t.match(await recalled, { token: 'token-0', isReused: true }, 'recall() joins the call too');
  const [first, ...joined] = await Promise.all(same);
  t.match(first, { token: 'token-0', isReused: false, upstreamMs: 7 });
  for (const one of joined) t.match(one, { token: 'token-0', isReused: true, upstreamMs: null });
  t.equal(new Set((await Promise.all(others)).map(({ token }) => token)).size, others.length);

  const next = minter.mint(ORDER);
  t.equal(asked.length, 2 + others.length, 'a finished call is not shared');
  asked.at(-1)?.answer('fresh');
  t.equal((await next).token, 'fresh');
});

test('a failure reaches all waiting orders, and is not cached', async (t) => {
  const { client, asked } = askedByHand();
  const minter = createDirectMinter({ client, reuse: true, now: () => 0 });
  const waiting = [minter.mint(ORDER), minter.mint(ORDER)];
  asked[0]?.fail(new Problem('upstream_timeout'));
  for (const one of waiting) await t.rejects(Promise.resolve(one), { code: 'upstream_timeout' });
  const again = minter.mint(ORDER);
  asked[1]?.answer('a-token');
  t.equal((await again).token, 'a-token');
});

test('with reuse a subject gets the same token while at least half of its lifetime is left', async (t) => {
  const { client, asked } = askedByHand();
  let now = 0;
  const minter = createDirectMinter({ client, reuse: true, now: () => now });
  const first = minter.mint(ORDER);
  asked[0]?.answer('first');
  await first;

  now = 150_000;
  t.match(minter.recall(ORDER), { token: 'first', isReused: true, upstreamMs: null, expiresAtMs: 300_000 });
  t.equal(asked.length, 1);
  t.equal(minter.recall({ ...ORDER, principal: principalOf({ subject: 'user-2' }) }), null);
  const other = minter.mint({ ...ORDER, principal: principalOf({ subject: 'user-2' }) });
  t.equal(asked.length, 2, 'no other subject gets it');
  asked[1]?.answer('of user-2');
  t.equal((await other).token, 'of user-2');

  now = 150_001;
  t.equal(minter.recall(ORDER), null);
  const second = minter.mint(ORDER);
  asked[2]?.answer('second');
  t.match(await second, { token: 'second', isReused: false });
});

test('with reuse, a token minted while the budget was being checked is used', async (t) => {
  const { client, asked } = askedByHand();
  const minter = createDirectMinter({ client, reuse: true, now: () => 0 });
  t.strictSame([minter.recall(ORDER), minter.recall(ORDER)], [null, null], 'two orders ask for their budget');
  const first = minter.mint(ORDER);
  asked[0]?.answer('first');
  await first;
  t.match(await minter.mint(ORDER), { token: 'first', isReused: true });
  t.equal(asked.length, 1);
});

test('the number of tokens kept for reuse is bounded: the oldest is dropped first', async (t) => {
  const { client, asked } = askedByHand();
  const minter = createDirectMinter({ client, reuse: true, now: () => 0, reuseMax: 2 });
  const mint = async (subject: string): Promise<boolean> => {
    const order = { ...ORDER, principal: principalOf({ subject }) };
    if (minter.recall(order) !== null) return false;
    const minting = minter.mint(order);
    asked.at(-1)?.answer(subject);
    await minting;
    return true;
  };
  for (const subject of ['a', 'b', 'c']) t.equal(await mint(subject), true);
  t.equal(await mint('b'), false);
  t.equal(await mint('c'), false);
  t.equal(await mint('a'), true);
});

test('a token that was minted again counts as new', async (t) => {
  const { client, asked } = askedByHand();
  let now = 0;
  const minter = createDirectMinter({ client, reuse: true, now: () => now, reuseMax: 2 });
  const mint = async (subject: string, lifetimeSeconds = 3600): Promise<MintOrder> => {
    const order = { ...ORDER, lifetimeSeconds, principal: principalOf({ subject }) };
    const minting = minter.mint(order);
    asked.at(-1)?.answer(subject);
    await minting;
    return order;
  };
  await mint('a', 60);
  const elder = await mint('b');
  now = 50_000;
  const renewed = await mint('a', 60);
  await mint('c');
  t.match(minter.recall(renewed), { token: 'a' });
  t.equal(minter.recall(elder), null, 'the oldest was dropped');
});

test('anonymous callers share no tokens: each gets their own', async (t) => {
  const { client, asked } = askedByHand();
  const minter = createDirectMinter({ client, reuse: true, now: () => 0 });
  const order = { ...ORDER, principal: principalOf({ method: 'anonymous', subject: 'guest' }) };
  const both = [minter.mint(order), minter.mint(order)];
  for (const [i, one] of asked.entries()) one.answer(`token-${i}`);
  t.strictSame(
    (await Promise.all(both)).map(({ token, isReused }) => [token, isReused]),
    [
      ['token-0', false],
      ['token-1', false],
    ],
  );
  t.equal(minter.recall(order), null);

  const ofUser = minter.mint({ ...ORDER, principal: principalOf({ subject: 'guest' }) });
  t.equal(minter.recall(order), null, 'nor the token of a user with the same subject');
  asked.at(-1)?.answer('of the user');
  t.equal((await ofUser).token, 'of the user');
  t.equal(minter.recall(order), null);
});

test('a token is not handed out again after its life because the clock was set back', async (t) => {
  const { client, asked } = askedByHand();
  const clock = { epoch: 1_000_000_000, monotonic: 0 };
  const minter = createDirectMinter({
    client,
    reuse: true,
    now: () => clock.epoch,
    monotonicNow: () => clock.monotonic,
  });
  const mint = async (): Promise<string> => {
    const minting = minter.mint(ORDER);
    asked.at(-1)?.answer(`token-${asked.length}`);
    return (await minting).token;
  };
  t.equal(await mint(), 'token-1');
  clock.epoch -= 500; // as small corrections are
  t.equal(await mint(), 'token-1');
  clock.epoch -= 3_600_000;
  t.equal(await mint(), 'token-2', 'by the time of day, the first has more life than it was given');
  clock.monotonic += 149_000;
  t.equal(await mint(), 'token-3', 'the time of day stood still');
  clock.epoch += 149_000;
  clock.monotonic += 149_000;
  t.equal(await mint(), 'token-3');
  clock.epoch += 3_600_000; // the machine was suspended, which the other clock does not count
  t.equal(await mint(), 'token-4');
});
