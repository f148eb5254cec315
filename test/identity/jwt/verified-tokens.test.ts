import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { createVerifiedTokens, type VerifiedToken } from '../../../src/identity/jwt/verified-tokens.ts';

const NOW = 1_000;
function token(name: string, change: Partial<VerifiedToken> = {}): VerifiedToken {
  return {
    answer: { outcome: 'unavailable', reason: name },
    validity: { expiresAt: NOW + 300, notBefore: NOW - 10 },
    toleranceSeconds: 10,
    isTrusted: () => true,
    ...change,
  };
}

const presented = (rawToken: string) => ({ rawToken, connection: null });

test('a token is recalled with the same answer, and only by its exact text', async (t) => {
  const verified = createVerifiedTokens();
  const rawToken = randomBytes(300).toString('base64url');
  const one = token('one');
  verified.remember(presented(rawToken), one);
  t.equal(verified.recall(presented(rawToken), NOW), one.answer);
  for (const other of [`${rawToken}A`, rawToken.slice(0, -1), rawToken.toLowerCase(), '', ` ${rawToken}`]) {
    t.equal(verified.recall(presented(other), NOW), undefined);
  }
});

test('validity is checked on every recall', async (t) => {
  const verified = createVerifiedTokens();
  verified.remember(presented('a'), token('a'));
  t.ok(verified.recall(presented('a'), NOW + 309), 'within the tolerance');
  t.equal(verified.recall(presented('a'), NOW + 310), undefined, 'expired');
  t.equal(verified.recall(presented('a'), NOW), undefined, 'and forgotten');
  verified.remember(presented('b'), token('b'));
  t.equal(verified.recall(presented('b'), NOW - 21), undefined, 'not yet valid, on a clock that was set back');
});

test('a token is forgotten once its verification key is no longer trusted', async (t) => {
  let isTrusted = true;
  const verified = createVerifiedTokens();
  verified.remember(presented('a'), token('a', { isTrusted: () => isTrusted }));
  t.ok(verified.recall(presented('a'), NOW));
  isTrusted = false;
  t.equal(verified.recall(presented('a'), NOW), undefined);
  isTrusted = true;
  t.equal(verified.recall(presented('a'), NOW), undefined, 'permanently');
});

test('the limit is never exceeded, and tokens in use are kept', async (t) => {
  const verified = createVerifiedTokens({ maxEntries: 100 });
  verified.remember(presented('in use'), token('in use'));
  for (let i = 0; i < 1_000; i += 1) {
    verified.remember(presented(`token ${i}`), token(`token ${i}`));
    if (i % 20 === 0) t.ok(verified.recall(presented('in use'), NOW), `in use after ${i}`);
  }
  const kept = Array.from({ length: 1_000 }, (_, i) => verified.recall(presented(`token ${i}`), NOW)).filter(Boolean);
  t.ok(kept.length <= 100 && kept.length >= 49, `${kept.length} kept`);
  t.ok(verified.recall(presented('token 999'), NOW), 'the newest is among them');
});

test('long tokens count for more', async (t) => {
  const verified = createVerifiedTokens({ maxCharacters: 10_000 });
  const long = (i: number) => `${i}`.padEnd(1_000, 'x');
  for (let i = 0; i < 50; i += 1) verified.remember(presented(long(i)), token('long'));
  const kept = Array.from({ length: 50 }, (_, i) => verified.recall(presented(long(i)), NOW)).filter(Boolean);
  t.ok(kept.length <= 10 && kept.length >= 4, `${kept.length} kept`);
});
