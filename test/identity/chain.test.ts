import { type Test, test } from 'tap';
import type { ClientConfig } from '../../src/config/config.ts';
import { appKeyDigest, createAppKey } from '../../src/identity/app-key.ts';
import type { Authenticator } from '../../src/identity/authenticator.ts';
import { createIdentity, type Identity, type IdentityOptions } from '../../src/identity/chain.ts';
import { clientConfig, jwtConfig } from './client-config.ts';
import { startIssuerServer } from './jwt/issuer-server.ts';
import { createSigningKey, goodClaims, signJwt } from './jwt/signing-key.ts';
import { factsOf } from './request-facts.ts';

const key = createAppKey();
const backend = clientConfig({ name: 'backend', trusted: true, auth: { keys: [appKeyDigest(key)] } });
const kiosk = clientConfig({ name: 'kiosk', auth: { anonymous: true } });
const unauthenticated = (reason: string) => ({ outcome: 'refused', code: 'unauthenticated', reason });

function identityFor(t: Test, clients: readonly ClientConfig[], options: Partial<IdentityOptions> = {}): Identity {
  const identity = createIdentity({ clients, ...options });
  t.teardown(() => identity.close());
  return identity;
}

/** An issuer with one key, and a client app `web` that takes its tokens. */
async function webWithIssuer(t: Test, auth: Partial<ClientConfig['auth']> = {}) {
  const server = await startIssuerServer();
  t.teardown(() => server.close());
  const signing = createSigningKey();
  server.publish(signing.jwk);
  const web = clientConfig({ name: 'web', auth: { jwt: [jwtConfig({ issuer: server.issuer })], ...auth } });
  return { server, web, token: signJwt(signing, goodClaims(server.issuer)) };
}

test('an app key is recognized synchronously', async (t) => {
  const identity = identityFor(t, [kiosk, backend]);
  for (const headers of [{ authorization: `Bearer ${key}` }, { 'x-api-key': key }]) {
    const answer = identity.authenticate(factsOf(headers));
    t.notOk(answer instanceof Promise);
    t.match(answer, { outcome: 'authenticated', principal: { client: 'backend', method: 'app_key' } });
  }
});

test("a user's JWT is recognized once its issuer's keys are fetched, and synchronously from then on", async (t) => {
  const { server, web, token } = await webWithIssuer(t);
  const identity = identityFor(t, [kiosk, web, backend]);
  const facts = factsOf({ authorization: `Bearer ${token}` });
  const first = identity.authenticate(facts);
  t.ok(first instanceof Promise, 'the keys have not been fetched yet');
  t.match(await first, { outcome: 'authenticated', principal: { client: 'web', subject: 'user-1', method: 'jwt' } });
  const second = identity.authenticate(facts);
  t.equal(second, await first, 'the same answer, without a promise');
  t.strictSame(server.requests, ['/.well-known/openid-configuration', '/jwks']);
});

test('warm() fetches the keys ahead of the first caller', async (t) => {
  const { web, token } = await webWithIssuer(t);
  const identity = identityFor(t, [web]);
  await identity.warm();
  t.match(identity.authenticate(factsOf({ 'x-api-key': token })), { outcome: 'authenticated' });
});

test('a caller without a credential is anonymous where that is allowed, and refused elsewhere', async (t) => {
  t.match(identityFor(t, [backend, kiosk]).authenticate(factsOf({})), {
    outcome: 'authenticated',
    principal: { client: 'kiosk', method: 'anonymous' },
  });
  t.strictSame(identityFor(t, [backend]).authenticate(factsOf({})), unauthenticated('no_credential'));
});

test('a refused credential never becomes an anonymous caller', async (t) => {
  const { web, token } = await webWithIssuer(t);
  const identity = identityFor(t, [kiosk, web, backend]);
  const bad = [
    { authorization: 'Basic dXNlcjpwYXNz' },
    { authorization: 'Bearer ' },
    { authorization: '' },
    { 'x-api-key': '' },
    { 'x-api-key': createAppKey() },
    { 'x-api-key': `${key}x` },
    { authorization: `Bearer ${token.slice(0, -8)}AAAAAAAA` },
    { authorization: 'Bearer a.b.c' },
    { authorization: 'Bearer a.b.c.d.e' },
    { authorization: `Bearer ${'a'.repeat(8_193)}` },
  ];
  for (const headers of bad) {
    t.match(await identity.authenticate(factsOf(headers)), { outcome: 'refused', code: 'unauthenticated' });
  }
  const inUrl = factsOf({}, { query: `api_key=${key}` });
  t.strictSame(identity.authenticate(inUrl), unauthenticated('credential_in_query'));
  const two = factsOf({ authorization: `Bearer ${key}`, 'x-api-key': 'other' });
  t.match(identity.authenticate(two), { outcome: 'refused', code: 'invalid_request' });
});

test('an app key or a JWT in the URL of an upgrade is accepted only if the client app allows it', async (t) => {
  for (const queryCredentials of [false, true]) {
    const { web, token } = await webWithIssuer(t, { keys: [appKeyDigest(key)], queryCredentials });
    const identity = identityFor(t, [web]);
    for (const query of [`access_token=${token}`, `api_key=${key}`]) {
      const answer = await identity.authenticate(factsOf({}, { query, isUpgrade: true }));
      if (queryCredentials) t.match(answer, { outcome: 'authenticated', principal: { client: 'web' } });
      else t.strictSame(answer, unauthenticated('credential_in_query'));
    }
    const again = identity.authenticate(factsOf({}, { query: `access_token=${token}`, isUpgrade: true }));
    t.equal(again instanceof Promise, false, 'the same rule applies to a token seen before');
    t.match(again, { outcome: queryCredentials ? 'authenticated' : 'refused' });
    const both = factsOf({ 'x-api-key': key }, { query: `api_key=${key}`, isUpgrade: true });
    t.match(identity.authenticate(both), { outcome: 'authenticated' }, 'a header beside it proves the caller');
  }
});

test('a trusted backend may name its user; a user may name nobody', async (t) => {
  const { web, token } = await webWithIssuer(t);
  const identity = identityFor(t, [web, backend]);
  const as = (credential: string, subject: string) =>
    identity.authenticate(factsOf({ 'x-api-key': credential, 'x-broker-subject': subject }));
  t.match(await as(key, 'user-7'), { outcome: 'authenticated', principal: { client: 'backend', subject: 'user-7' } });
  t.match(await as(token, 'user-7'), { outcome: 'refused', code: 'subject_not_allowed' });
  t.match(await as(key, ' '), { outcome: 'refused', code: 'invalid_request', message: /X-Broker-Subject/ });
  t.match(await as(createAppKey(), 'user-7'), { outcome: 'refused', code: 'unauthenticated' }, '401 comes before 403');
  const plain = identity.authenticate(factsOf({ 'x-api-key': key }));
  t.match(plain, { principal: { subject: 'backend' } }, 'the name applies to one request only');
});

test('an unreachable issuer makes only its own users unavailable', async (t) => {
  const { server, web, token } = await webWithIssuer(t);
  await server.close();
  const identity = identityFor(t, [web, backend]);
  await identity.warm();
  t.strictSame(await identity.authenticate(factsOf({ authorization: `Bearer ${token}` })), {
    outcome: 'unavailable',
    reason: 'key_set_unavailable',
  });
  t.match(identity.authenticate(factsOf({ 'x-api-key': key })), { outcome: 'authenticated' });
});

test('additional authenticators are asked first, and may answer asynchronously', async (t) => {
  const asked: unknown[] = [];
  const accepts = (prefix: string, later: boolean): Authenticator => ({
    authenticate(credential) {
      asked.push([prefix, credential]);
      const answer = credential?.rawToken.startsWith(prefix)
        ? ({ outcome: 'refused', code: 'token_expired', reason: prefix } as const)
        : ({ outcome: 'not_responsible' } as const);
      return later ? Promise.resolve(answer) : answer;
    },
  });
  const identity = identityFor(t, [backend], { extra: [accepts('one', false), accepts('two', true)] });
  const expired = { outcome: 'refused', code: 'token_expired' };
  t.match(identity.authenticate(factsOf({ 'x-api-key': 'one' })), { ...expired, reason: 'one' });
  t.match(await identity.authenticate(factsOf({ 'x-api-key': 'two' })), { ...expired, reason: 'two' });
  t.match(await identity.authenticate(factsOf({ 'x-api-key': key })), { principal: { client: 'backend' } });
  t.match(await identity.authenticate(factsOf({})), unauthenticated('no_credential'));
  t.strictSame(asked.slice(0, 2), [
    ['one', { rawToken: 'one', place: 'x-api-key', connection: null }],
    ['one', { rawToken: 'two', place: 'x-api-key', connection: null }],
  ]);
});

test('a credential that an additional authenticator accepts may come in the URL of an upgrade', async (t) => {
  const principal = {
    client: 'backend',
    subject: 'u',
    method: 'access_token',
    claims: {},
    grants: null,
    expiresAt: 1,
  } as const;
  const extra: Authenticator[] = [{ authenticate: () => ({ outcome: 'authenticated', principal }) }];
  const identity = identityFor(t, [backend], { extra });
  const answer = identity.authenticate(factsOf({}, { query: 'access_token=abc', isUpgrade: true }));
  t.strictSame(answer, { outcome: 'authenticated', principal });
});
