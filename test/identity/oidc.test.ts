// Tokens from a real OpenID Connect provider are accepted, even while it rotates its keys.
import { type Test, test } from 'tap';
import type { JwtConfig } from '../../src/config/config.ts';
import { createIdentity } from '../../src/identity/chain.ts';
import { clientConfig, jwtConfig } from './client-config.ts';
import { OIDC_CLIENT_ID, startOidcProvider } from './oidc-provider.ts';
import { factsOf } from './request-facts.ts';

const COOLDOWN_MS = 30_000;

async function setUp(t: Test, jwt: Partial<JwtConfig> = {}) {
  const provider = await startOidcProvider();
  let clock = 0;
  const identity = createIdentity({
    clients: [clientConfig({ auth: { jwt: [jwtConfig({ issuer: provider.issuer, ...jwt })] } })],
    monotonicNow: () => clock,
  });
  t.teardown(async () => {
    await identity.close();
    await provider.close();
  });
  return {
    provider,
    present: async (token: string) => identity.authenticate(factsOf({ authorization: `Bearer ${token}` })),
    coolDown() {
      clock += COOLDOWN_MS;
    },
    fetches: () => provider.requests.filter((path) => path === '/jwks').length,
  };
}

test("a user's access token identifies the user and their grants", async (t) => {
  const { provider, present } = await setUp(t, {
    grantsFrom: { claim: 'scope', map: { speak: ['tts'], listen: ['stt'] } },
  });
  for (const alg of ['RS256', 'ES256'] as const) {
    const token = await provider.mintToken({ sub: 'ada', scope: 'speak', expiresIn: 120, alg });
    const answer = await present(token);
    t.match(answer, { outcome: 'authenticated', principal: { subject: 'ada', method: 'jwt', grants: ['tts'] } }, alg);
    t.match(answer, { principal: { claims: { iss: provider.issuer, aud: 'voice', client_id: OIDC_CLIENT_ID } } });
    t.equal(await present(token), answer, 'seen before');
  }
});

test('nested roles give grants, and required claims tell users apart', async (t) => {
  const { provider, present } = await setUp(t, {
    require: { email_verified: ['true'] },
    grantsFrom: { claim: 'realm_access.roles', map: { caller: ['agent'], reader: ['tts'] } },
  });
  const roles = { realm_access: { roles: ['reader', 'caller', 'other'] } };
  const verified = await provider.mintToken({ claims: { ...roles, email_verified: true } });
  t.match(await present(verified), { outcome: 'authenticated', principal: { grants: ['tts', 'agent'] } });
  const unverified = await provider.mintToken({ claims: { ...roles, email_verified: false } });
  t.match(await present(unverified), { outcome: 'refused', reason: 'jwt_require' });
});

test('an ID token is accepted where its audience is configured, and only there', async (t) => {
  const web = await setUp(t, { audience: [OIDC_CLIENT_ID] });
  const { idToken, accessToken } = await web.provider.signIn({ sub: 'ada' });
  t.match(await web.present(idToken), { outcome: 'authenticated', principal: { subject: 'ada' } });
  t.match(await web.present(accessToken), { outcome: 'refused', reason: 'jwt_audience' });
  const api = await setUp(t);
  const other = await api.provider.signIn();
  t.match(await api.present(other.idToken), { outcome: 'refused', reason: 'jwt_audience' });
});

test('tokens of another provider are refused', async (t) => {
  const { provider, present } = await setUp(t);
  const stranger = await startOidcProvider();
  t.teardown(() => stranger.close());
  t.match(await present(await stranger.mintToken()), { outcome: 'refused', reason: 'jwt_issuer' });
  t.strictSame(provider.requests, [], 'without fetching anything');
});

test('tokens stay valid through key rotations until their key is dropped', async (t) => {
  const { provider, present, coolDown, fetches } = await setUp(t);
  const before = await provider.mintToken({ sub: 'before' });
  const unseen = await provider.mintToken({ sub: 'unseen' });
  t.match(await present(before), { outcome: 'authenticated' });
  t.equal(fetches(), 1);

  provider.rotate();
  const after = await provider.mintToken({ sub: 'after' });
  coolDown();
  t.match(
    await present(after),
    { outcome: 'authenticated', principal: { subject: 'after' } },
    'the new key is fetched',
  );
  t.match(await present(before), { outcome: 'authenticated' }, 'a token seen before');
  t.match(await present(unseen), { outcome: 'authenticated' }, 'an old key that is still published');
  t.equal(fetches(), 2);

  provider.rotate({ dropOld: true });
  const last = await provider.mintToken({ sub: 'last' });
  coolDown();
  t.match(await present(last), { outcome: 'authenticated', principal: { subject: 'last' } });
  for (const token of [before, unseen, after]) {
    t.match(await present(token), { outcome: 'refused', reason: 'jwt_key_unknown' }, 'its key is gone');
  }
  t.equal(fetches(), 3);
});

test('while the provider is down, known keys keep working and new ones are unavailable', async (t) => {
  const { provider, present, coolDown } = await setUp(t);
  const seen = await provider.mintToken({ sub: 'seen' });
  const unseen = await provider.mintToken({ sub: 'unseen' });
  t.match(await present(seen), { outcome: 'authenticated' });
  provider.rotate();
  const rotated = await provider.mintToken({ sub: 'rotated' });
  await provider.close();
  coolDown();
  t.match(await present(rotated), { outcome: 'unavailable' });
  t.match(await present(seen), { outcome: 'authenticated' });
  t.match(await present(unseen), { outcome: 'authenticated' });
});
