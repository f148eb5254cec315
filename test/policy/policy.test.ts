import fc from 'fast-check';
import { test } from 'tap';
import { GRANTS, type Grant } from '../../src/config/grant.ts';
import { decide, type Policy, type Wish } from '../../src/policy/policy.ts';

const ttl = { defaultSeconds: 300, maxSeconds: 900 };
const policy: Policy = { grants: ['tts', 'stt'], defaultGrants: ['tts'], ttl };

interface Case {
  readonly name: string;
  readonly wish: Wish;
  readonly limit?: readonly Grant[];
  readonly policy?: Partial<Policy>;
  readonly grants?: readonly Grant[];
  readonly seconds?: number;
  readonly denied?: string;
}

const CASES: readonly Case[] = [
  { name: 'an empty request gives the default grants and lifetime', wish: {}, grants: ['tts'], seconds: 300 },
  { name: 'null counts as not asked', wish: { grants: null, expiresInSeconds: null }, grants: ['tts'], seconds: 300 },
  { name: 'an object of nulls counts as not asked', wish: { grants: { tts: null, stt: null } }, grants: ['tts'] },
  { name: 'an empty object counts as not asked', wish: { grants: {} }, grants: ['tts'] },
  {
    name: 'an allowed grant that is asked for is given, and no more',
    wish: { grants: { stt: true } },
    grants: ['stt'],
  },
  { name: 'grants always come in the same order', wish: { grants: { stt: true, tts: true } }, grants: ['tts', 'stt'] },
  { name: 'a grant beyond the policy is refused', wish: { grants: { agent: true } }, denied: 'grant_not_allowed' },
  {
    name: 'one grant beyond the policy refuses the whole request',
    wish: { grants: { tts: true, agent: true } },
    denied: 'grant_not_allowed',
  },
  {
    name: 'a credential that allows less limits the policy',
    wish: { grants: { tts: true } },
    limit: ['stt'],
    denied: 'grant_not_allowed',
  },
  {
    name: 'a credential that allows more than the policy does not widen it',
    wish: { grants: { agent: true } },
    limit: ['tts', 'stt', 'agent'],
    denied: 'grant_not_allowed',
  },
  { name: 'a credential that allows nothing gets nothing', wish: {}, limit: [], denied: 'grant_not_allowed' },
  {
    name: 'default grants beyond the credential are not granted',
    wish: {},
    limit: ['stt'],
    denied: 'grant_not_allowed',
  },
  {
    name: 'false removes a grant from the defaults',
    wish: { grants: { tts: false } },
    policy: { defaultGrants: ['tts', 'stt'] },
    grants: ['stt'],
  },
  {
    name: 'declining every default is an invalid request',
    wish: { grants: { tts: false } },
    denied: 'invalid_request',
  },
  {
    name: 'a caller that may have nothing is told so, whatever it declines',
    wish: { grants: { tts: false } },
    limit: [],
    denied: 'grant_not_allowed',
  },
  { name: 'a shorter lifetime is given as asked', wish: { expiresInSeconds: 1 }, seconds: 1 },
  { name: 'the longest allowed lifetime is given', wish: { expiresInSeconds: 900 }, seconds: 900 },
  { name: 'a longer lifetime is shortened', wish: { expiresInSeconds: 3600 }, seconds: 900 },
];

test('a policy decides', async (t) => {
  for (const { name, wish, limit = null, policy: changed, grants, seconds, denied } of CASES) {
    t.test(name, async (t) => {
      const decision = decide(wish, { ...policy, ...changed }, limit);
      if (denied !== undefined) return t.match(decision, { outcome: 'deny', code: denied });
      if (decision.outcome !== 'grant') return t.fail('denied', { decision });
      if (grants !== undefined) t.strictSame(decision.grants, grants);
      if (seconds !== undefined) t.equal(decision.expiresInSeconds, seconds);
      return t.equal(decision.outcome, 'grant');
    });
  }
});

test('the refusal names the grant, so that a developer need not guess', async (t) => {
  const decision = decide({ grants: { agent: true } }, policy, null);
  t.match(decision, { outcome: 'deny', message: /"agent"/ });
  const nothing = 'The field "grants" leaves nothing to be granted.';
  t.match(decide({ grants: { tts: false } }, policy, null), { message: nothing });
  t.match(decide({}, policy, []), { message: 'This caller may not have any grant.' });
});

const grantSet = fc.uniqueArray(fc.constantFrom(...GRANTS));
const flag = fc.option(fc.boolean(), { nil: null });
const wishes: fc.Arbitrary<Wish> = fc.record(
  {
    grants: fc.option(fc.record({ tts: flag, stt: flag, agent: flag }, { requiredKeys: [] }), { nil: null }),
    expiresInSeconds: fc.option(fc.integer({ min: 1, max: 3600 }), { nil: null }),
  },
  { requiredKeys: [] },
);
const policies: fc.Arbitrary<Policy> = fc
  .tuple(grantSet, grantSet, fc.integer({ min: 1, max: 3600 }), fc.integer({ min: 1, max: 3600 }))
  .map(([grants, wanted, a, b]) => ({
    grants,
    defaultGrants: wanted.filter((grant) => grants.includes(grant)),
    ttl: { defaultSeconds: Math.min(a, b), maxSeconds: Math.max(a, b) },
  }));

test('nothing beyond policy and credential is ever granted, and a grant is never empty', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(wishes, policies, fc.option(grantSet, { nil: null }), (wish, policy, limit) => {
          const decision = decide(wish, policy, limit);
          if (decision.outcome === 'deny') return;
          if (decision.grants.length === 0) throw new Error('granted nothing');
          for (const grant of decision.grants) {
            if (!policy.grants.includes(grant)) throw new Error('beyond the policy');
            if (limit !== null && !limit.includes(grant)) throw new Error('beyond the credential');
            if (wish.grants?.[grant] === false) throw new Error('granted what was declined');
          }
          if (decision.expiresInSeconds < 1 || decision.expiresInSeconds > policy.ttl.maxSeconds)
            throw new Error('life');
        }),
        { numRuns: 5000 },
      ),
    '5000 random wishes',
  );
});

test('an allowed request is granted exactly as asked', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(wishes, policies, (wish, policy) => {
          const asked = GRANTS.filter((grant) => wish.grants?.[grant] === true);
          fc.pre(asked.length > 0 && asked.every((grant) => policy.grants.includes(grant)));
          const decision = decide(wish, policy, null);
          return decision.outcome === 'grant' && decision.grants.join() === asked.join();
        }),
        { numRuns: 2000 },
      ),
    '2000 random wishes',
  );
});
