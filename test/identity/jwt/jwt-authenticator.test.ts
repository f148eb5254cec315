import { createHmac } from 'node:crypto';
import { type Test, test } from 'tap';
import type { JwtConfig } from '../../../src/config/config.ts';
import { createJwtAuthenticator, type JwtAuthenticatorOptions } from '../../../src/identity/jwt/jwt-authenticator.ts';
import { clientConfig, jwtConfig } from '../client-config.ts';
import { startIssuerServer } from './issuer-server.ts';
import { createSigningKey, encode, goodClaims, signJwt, signParts } from './signing-key.ts';

const NOW = 1_800_000_000;
const rsa = createSigningKey('RS256');
const ec = createSigningKey('ES256');
const stranger = createSigningKey('ES256');
const asymmetric = ['RS256', 'ES256', 'EdDSA', 'PS256'];

/** An issuer that publishes `rsa` and `ec`, and an authenticator whose clock is fixed at NOW. */
async function setUp(t: Test, jwt: Partial<JwtConfig> = {}, options: Partial<JwtAuthenticatorOptions> = {}) {
  const server = await startIssuerServer();
  t.teardown(() => server.close());
  server.publish(rsa.jwk, ec.jwk);
  const clients = [
    clientConfig({ auth: { jwt: [jwtConfig({ issuer: server.issuer, algorithms: asymmetric, ...jwt })] } }),
  ];
  const authenticator = createJwtAuthenticator({ clients, now: () => NOW * 1_000, ...options });
  t.teardown(() => authenticator.close());
  const present = async (rawToken: string) =>
    authenticator.authenticate({ rawToken, place: 'authorization', connection: null });
  return { server, authenticator, present, claims: goodClaims(server.issuer, NOW) };
}

const refusal = (reason: string) => ({ outcome: 'refused', code: 'unauthenticated', reason });

test('a good token names client app, subject, claims, grants and expiry', async (t) => {
  const { present, claims } = await setUp(t, {
    grantsFrom: { claim: 'scope', map: { speak: ['tts'], listen: ['stt'] } },
  });
  const full = { ...claims, scope: 'openid speak', realm_access: { roles: ['a'] } };
  const expected = {
    outcome: 'authenticated',
    principal: { client: 'web', subject: 'user-1', method: 'jwt', claims: full, grants: ['tts'], expiresAt: NOW + 300 },
  };
  t.strictSame(await present(signJwt(ec, full)), expected);
  t.strictSame(await present(signJwt(rsa, full)), expected);
});

test('a token whose claims give no grants is accepted without grants', async (t) => {
  const { present, claims } = await setUp(t, { grantsFrom: { claim: 'scope', map: { speak: ['tts'] } } });
  const answer = await present(signJwt(ec, claims));
  t.strictSame(answer.outcome === 'authenticated' && answer.principal.grants, []);
});

test('an answer shared by several requests cannot be changed by one of them', async (t) => {
  const { present, claims } = await setUp(t);
  const rawToken = signJwt(ec, { ...claims, realm_access: { roles: ['a'] } });
  const answer = await present(rawToken);
  t.equal(await present(rawToken), answer);
  if (answer.outcome !== 'authenticated') throw new Error('not authenticated');
  const { principal } = answer;
  const roles = (principal.claims['realm_access'] as { roles: string[] }).roles;
  for (const part of [answer, principal, principal.claims, roles]) t.ok(Object.isFrozen(part));
});

test('tampered and forged tokens are refused', async (t) => {
  const { present, claims, authenticator } = await setUp(t, {}, {});
  await authenticator.warm();
  const good = signJwt(ec, claims);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const admin = encode(JSON.stringify({ ...claims, sub: 'admin' }));
  const unsigned = encode(JSON.stringify({ alg: 'none', typ: 'JWT' }));
  const hmac = (secret: string | Buffer) => {
    const input = `${encode(JSON.stringify({ alg: 'HS256', kid: rsa.kid, typ: 'JWT' }))}.${payload}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const cases: [string, string, string][] = [
    ['alg none, no signature', `${unsigned}.${payload}.`, 'jwt_parts'],
    ['alg none, with a signature', `${unsigned}.${payload}.${signature}`, 'jwt_alg'],
    ['alg NONE', signJwt(ec, claims, { alg: 'NONE' }), 'jwt_alg'],
    ['alg empty', signJwt(ec, claims, { alg: '' }), 'jwt_alg'],
    ['HS256 with the public key as PEM', hmac(rsa.publicKey.export({ type: 'spki', format: 'pem' })), 'jwt_alg'],
    ['HS256 with the public key as DER', hmac(rsa.publicKey.export({ type: 'spki', format: 'der' })), 'jwt_alg'],
    ['signature removed', `${header}.${payload}.`, 'jwt_parts'],
    ['signature and dot removed', `${header}.${payload}`, 'jwt_parts'],
    ['signature of zeros', `${header}.${payload}.${'A'.repeat(86)}`, 'jwt_signature'],
    ['another payload', `${header}.${admin}.${signature}`, 'jwt_signature'],
    ['signed by a stranger under our kid', signJwt(stranger, claims, { kid: ec.kid }), 'jwt_signature'],
    ['a key embedded in the header', signJwt(stranger, claims, { kid: ec.kid, jwk: stranger.jwk }), 'jwt_signature'],
    ['the kid of a key of another type', signJwt(ec, claims, { kid: rsa.kid }), 'jwt_key_unknown'],
    ['the alg of another key', signJwt(ec, claims, { kid: rsa.kid, alg: 'RS256' }), 'jwt_signature'],
    ['an algorithm that is not listed', signJwt(createSigningKey('ES384'), claims), 'jwt_alg'],
    ['an unknown kid', signJwt(stranger, claims), 'jwt_key_unknown'],
    ['a kid that is a path', signJwt(stranger, claims, { kid: '../../jwks' }), 'jwt_key_unknown'],
    ['unknown crit', signJwt(ec, claims, { crit: ['exp'] }), 'jwt_crit'],
    ['five parts', `${good}.${payload}.${signature}`, 'jwt_parts'],
    ['longer than 8 KB', signJwt(ec, { ...claims, pad: 'x'.repeat(6_300) }), 'jwt_too_long'],
    ['a logout token', signJwt(ec, claims, { typ: 'logout+jwt' }), 'jwt_typ'],
  ];
  for (const [name, rawToken, reason] of cases) t.strictSame(await present(rawToken), refusal(reason), name);
  t.match(await present(good), { outcome: 'authenticated' }, 'the good one is still accepted');
});

test('well-signed tokens with unacceptable claims are refused', async (t) => {
  const { present, claims, server } = await setUp(t, { toleranceSeconds: 60, require: { tier: ['pro'] } });
  const base = { ...claims, tier: 'pro' };
  const cases: [Record<string, unknown>, string][] = [
    [{ iss: undefined }, 'jwt_issuer'],
    [{ iss: 'https://evil.example' }, 'jwt_issuer'],
    [{ iss: `${server.issuer}/` }, 'jwt_issuer'],
    [{ iss: [server.issuer] }, 'jwt_issuer'],
    [{ aud: undefined }, 'jwt_audience'],
    [{ aud: 'other' }, 'jwt_audience'],
    [{ aud: ['other', 'VOICE'] }, 'jwt_audience'],
    [{ aud: [] }, 'jwt_audience'],
    [{ exp: undefined }, 'jwt_exp_missing'],
    [{ exp: NOW - 60 }, 'jwt_expired'],
    [{ exp: 0 }, 'jwt_expired'],
    [{ exp: -1 }, 'jwt_expired'],
    [{ exp: String(NOW + 300) }, 'jwt_time_malformed'],
    [{ nbf: NOW + 61 }, 'jwt_not_yet_valid'],
    [{ iat: NOW + 61 }, 'jwt_not_yet_valid'],
    [{ nbf: 'soon' }, 'jwt_time_malformed'],
    [{ sub: undefined }, 'jwt_subject'],
    [{ sub: '' }, 'jwt_subject'],
    [{ sub: 42 }, 'jwt_subject'],
    [{ sub: 'a\r\nb' }, 'jwt_subject'],
    [{ tier: 'free' }, 'jwt_require'],
    [{ tier: undefined }, 'jwt_require'],
  ];
  for (const [change, reason] of cases) {
    t.strictSame(await present(signJwt(ec, { ...base, ...change })), refusal(reason), JSON.stringify(change));
  }
  t.strictSame(server.requests, [], 'none of them caused a key fetch');
  for (const change of [
    {},
    { exp: NOW - 59 },
    { nbf: NOW + 60 },
    { iat: NOW + 60 },
    { aud: ['x', 'voice'] },
    { iat: undefined },
  ]) {
    t.match(await present(signJwt(ec, { ...base, ...change })), { outcome: 'authenticated' }, JSON.stringify(change));
  }
});

test('ambiguous JSON is refused though it is signed', async (t) => {
  const { present, claims } = await setUp(t);
  const text = JSON.stringify(claims);
  t.strictSame(await present(signJwt(ec, text.replace('{', '{"sub":"admin",'))), refusal('jwt_payload_json'));
  const header = encode(`{"alg":"ES256","kid":"${ec.kid}","kid":"${ec.kid}"}`);
  t.strictSame(await present(signParts(ec, header, encode(text))), refusal('jwt_header_json'));
});

test('a token without a key id is verified with the only key of its algorithm', async (t) => {
  const { present, claims } = await setUp(t);
  t.match(await present(signJwt(ec, claims, { kid: undefined })), { outcome: 'authenticated' });
  t.strictSame(await present(signJwt(stranger, claims, { kid: undefined })), refusal('jwt_signature'));
});

test('with several matching keys, none is guessed', async (t) => {
  const { present, claims, server } = await setUp(t);
  server.publish(ec.jwk, stranger.jwk, rsa.jwk, { ...createSigningKey('RS256').jwk, kid: rsa.kid });
  t.strictSame(await present(signJwt(ec, claims, { kid: undefined })), refusal('jwt_key_ambiguous'), 'no key id');
  t.strictSame(await present(signJwt(rsa, claims)), refusal('jwt_key_ambiguous'), 'two keys of the same id');
  t.match(await present(signJwt(ec, claims)), { outcome: 'authenticated' });
});

test('a token seen before still expires', async (t) => {
  let now = NOW;
  const { present, claims } = await setUp(t, { toleranceSeconds: 10 }, { now: () => now * 1_000 });
  const rawToken = signJwt(ec, { ...claims, nbf: NOW });
  t.match(await present(rawToken), { outcome: 'authenticated' });
  now = NOW + 309;
  t.match(await present(rawToken), { outcome: 'authenticated' }, 'the last second of the tolerance');
  now = NOW + 310;
  t.strictSame(await present(rawToken), refusal('jwt_expired'));
  now = NOW - 11;
  t.strictSame(await present(rawToken), refusal('jwt_not_yet_valid'), 'a clock that was set back');
  now = NOW;
  t.match(await present(rawToken), { outcome: 'authenticated' });
});

test('a token that expires while the key set is being fetched is refused', async (t) => {
  let now = NOW;
  const { server, present, claims } = await setUp(t, { toleranceSeconds: 0 }, { now: () => now * 1_000 });
  server.answer('/jwks', (_, response) => {
    now = NOW + 300;
    response.end(JSON.stringify({ keys: [ec.jwk] }));
  });
  t.strictSame(await present(signJwt(ec, claims)), refusal('jwt_expired'));
});

test('tokens of several issuers belong to the right client apps', async (t) => {
  const first = await startIssuerServer();
  const second = await startIssuerServer();
  t.teardown(() => Promise.all([first.close(), second.close()]));
  first.publish(ec.jwk);
  second.publish(rsa.jwk);
  const clients = [
    clientConfig({ name: 'staff', auth: { jwt: [jwtConfig({ issuer: first.issuer, require: { role: ['staff'] } })] } }),
    clientConfig({
      name: 'web',
      auth: { jwt: [jwtConfig({ issuer: first.issuer }), jwtConfig({ issuer: second.issuer, audience: ['b'] })] },
    }),
  ];
  const authenticator = createJwtAuthenticator({ clients, now: () => NOW * 1_000 });
  t.teardown(() => authenticator.close());
  const clientOf = async (rawToken: string) => {
    const answer = await authenticator.authenticate({ rawToken, place: 'authorization', connection: null });
    return answer.outcome === 'authenticated' ? answer.principal.client : 'reason' in answer && answer.reason;
  };
  t.equal(await clientOf(signJwt(ec, goodClaims(first.issuer, NOW))), 'web');
  t.equal(await clientOf(signJwt(ec, { ...goodClaims(first.issuer, NOW), role: 'staff' })), 'staff');
  t.equal(first.requests.filter((path) => path === '/jwks').length, 1, 'client apps share the keys of an issuer');
  t.equal(await clientOf(signJwt(rsa, { ...goodClaims(second.issuer, NOW), aud: 'b' })), 'web');
  t.equal(
    await clientOf(signJwt(rsa, goodClaims(second.issuer, NOW))),
    'jwt_audience',
    'the audience of the other issuer',
  );
  t.equal(
    await clientOf(signJwt(rsa, goodClaims(first.issuer, NOW))),
    'jwt_key_unknown',
    'the key of the other issuer',
  );
});

test('a credential that is not a JWT is left to other authenticators, as is every credential without issuers', async (t) => {
  const { authenticator } = await setUp(t);
  const none = { outcome: 'not_responsible' };
  t.strictSame(authenticator.authenticate(null), none);
  for (const rawToken of ['cb_abc', 'sk.live.abc', 'eyJhbGciOiJFUzI1NiJ9', '.eyJ.', 'ey J.a.b', 'e', '..', '']) {
    t.strictSame(authenticator.authenticate({ rawToken, place: 'x-api-key', connection: null }), none, rawToken);
  }
  const without = createJwtAuthenticator({ clients: [clientConfig()] });
  t.strictSame(without.authenticate({ rawToken: 'a.b.c', place: 'x-api-key', connection: null }), none);
  await without.warm();
  await without.close();
});

test('an algorithm that is not supported is refused at start', async (t) => {
  const create = (rule: Partial<JwtConfig>) => () =>
    createJwtAuthenticator({ clients: [clientConfig({ name: 'client-0', auth: { jwt: [jwtConfig(rule)] } })] });
  for (const alg of ['HS256', 'none', 'ES256K', 'rs256']) {
    t.throws(create({ algorithms: ['RS256', alg] }), {
      message: `Client app client-0 lists the unsupported JWT algorithm ${alg}`,
    });
  }
});
