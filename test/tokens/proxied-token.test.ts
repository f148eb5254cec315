import { createHmac, randomBytes } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { createProxiedMinter } from '../../src/tokens/proxied-minter.ts';
import { createProxiedTokenAuthenticator } from '../../src/tokens/proxied-token-authenticator.ts';
import { signingKeys } from '../../src/tokens/signing-keys.ts';
import { principalOf } from './principal.ts';

const secret = (): Secret => new Secret(randomBytes(32).toString('base64url'));
const NOW = 1_767_225_600_500;
const ORDER = { principal: principalOf(), grants: ['tts', 'stt'], lifetimeSeconds: 60, version: '2026-03-01' } as const;
const CLIENTS = new Set(['web']);

async function mintWith(secrets: readonly Secret[]): Promise<string> {
  return (await createProxiedMinter({ keys: signingKeys(secrets), now: () => NOW }).mint(ORDER)).token;
}

function authenticate(secrets: readonly Secret[], rawToken: string, now = NOW, clients: ReadonlySet<string> = CLIENTS) {
  const authenticator = createProxiedTokenAuthenticator({ keys: signingKeys(secrets), clients, now: () => now });
  return authenticator.authenticate({ rawToken, place: 'authorization', connection: null });
}

test('a proxied token states its client app, subject, grants and lifetime, and nothing else', async (t) => {
  const secrets = [secret()];
  const minted = await createProxiedMinter({ keys: signingKeys(secrets), now: () => NOW }).mint(ORDER);
  t.equal(minted.expiresAtMs, 1_767_225_660_000, 'whole seconds, rounded down');
  t.match(decodeProtectedHeader(minted.token), { alg: 'HS256', typ: 'cartesia-broker+jwt' });
  const { jti, ...claims } = decodeJwt(minted.token);
  t.match(jti, /^[0-9a-f-]{36}$/);
  t.strictSame(claims, {
    iss: 'cartesia-broker',
    client: 'web',
    sub: 'user-1',
    grants: { tts: true, stt: true },
    delivery: 'proxied',
    iat: 1_767_225_600,
    exp: 1_767_225_660,
  });
});

test('a single-use token says so, and upstream is not involved', async (t) => {
  const minter = createProxiedMinter({ keys: signingKeys([secret()]), now: () => NOW });
  const { token, ...rest } = await minter.mint({ ...ORDER, isSingleUse: true });
  t.match(decodeJwt(token), { single_use: true });
  t.strictSame(rest, {
    expiresAtMs: 1_767_225_660_000,
    lifetimeSeconds: 60,
    isReused: false,
    upstreamRequestId: null,
    upstreamMs: null,
    audit: { isReported: false },
  });
  t.equal(minter.recall(ORDER), null, 'none is handed out twice');
});

test('every replica of any version gives a secret the same key id, and the id does not reveal the secret', async (t) => {
  t.equal(signingKeys([new Secret('a-signing-secret-of-more-than-32-bytes-ä')]).signer.kid, 'DJ-CDDaR9KoN');
  t.throws(() => signingKeys([]), { message: 'signing needs a secret' });
});

test('a token is accepted until its last second', async (t) => {
  const secrets = [secret()];
  const token = await mintWith(secrets);
  t.match(await authenticate(secrets, token, NOW + 59_000), {
    outcome: 'authenticated',
    principal: {
      client: 'web',
      subject: 'user-1',
      method: 'access_token',
      grants: ['tts', 'stt'],
      expiresAt: 1_767_225_660,
    },
  });
  t.match(await authenticate(secrets, token, NOW + 60_000), { outcome: 'refused', code: 'token_expired' });
});

test('a token seen before is still checked for expiry and for every character', async (t) => {
  const secrets = [secret()];
  const token = await mintWith(secrets);
  let now = NOW;
  const authenticator = createProxiedTokenAuthenticator({
    keys: signingKeys(secrets),
    clients: CLIENTS,
    now: () => now,
  });
  const ask = (rawToken: string) => authenticator.authenticate({ rawToken, place: 'authorization', connection: null });

  const first = await ask(token);
  t.equal(ask(token), first, 'synchronously, and the same answer');
  t.match(await ask(`${token.slice(0, -1)}${token.endsWith('A') ? 'E' : 'A'}`), { outcome: 'refused' });
  t.match(await ask(`${token}A`), { outcome: 'refused' });
  now = NOW + 60_000;
  t.match(await ask(token), { outcome: 'refused', code: 'token_expired' });
});

test('secrets rotate: the first signs, all verify, and a removed one verifies nothing', async (t) => {
  const [older, newer] = [secret(), secret()];
  const token = await mintWith([older]);
  t.match(await authenticate([newer, older], token), { outcome: 'authenticated' });
  t.match(await authenticate([newer, older], await mintWith([newer, older])), { outcome: 'authenticated' });
  t.match(await authenticate([newer], token), { outcome: 'refused', code: 'unauthenticated' });
});

test('tokens of a client app that was removed from the configuration are refused', async (t) => {
  const secrets = [secret()];
  t.match(await authenticate(secrets, await mintWith(secrets), NOW, new Set(['ios'])), { outcome: 'refused' });
});

test('other tokens are left to other authenticators', async (t) => {
  const secrets = [secret()];
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const others = ['cb_key', 'a.b.c', '.', `${encode({ alg: 'HS256', typ: 'JWT' })}.e30.x`, `${'a'.repeat(300)}.b.c`];
  for (const other of others) t.match(await authenticate(secrets, other), { outcome: 'not_responsible' });
  const none = createProxiedTokenAuthenticator({ keys: signingKeys(secrets), clients: CLIENTS, now: () => NOW });
  t.match(none.authenticate(null), { outcome: 'not_responsible' });
});

test('a token header is parsed once per key, and only a few foreign headers are remembered', async (t) => {
  const authenticator = createProxiedTokenAuthenticator({
    keys: signingKeys([secret()]),
    clients: CLIENTS,
    now: () => NOW,
  });
  const parsed = t.capture(JSON, 'parse', JSON.parse);
  const ask = (kid: string): number => {
    const header = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid })).toString('base64url');
    authenticator.authenticate({ rawToken: `${header}.e30.x`, place: 'authorization', connection: null });
    return parsed().length;
  };
  t.strictSame([ask('theirs'), ask('theirs')], [1, 0]);
  for (let i = 0; i < 63; i += 1) t.equal(ask(`${i}`), 1);
  t.equal(ask('theirs'), 0);
  ask('one more');
  t.equal(ask('theirs'), 1, 'forgotten, along with all others');
});

test('a forged token is refused', async (t) => {
  const one = secret();
  const token = await mintWith([one]);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const { kid } = decodeProtectedHeader(token);
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sign = (head: unknown, claims: unknown): string => {
    const signed = `${encode(head)}.${encode(claims)}`;
    return `${signed}.${createHmac('sha256', one.reveal()).update(signed).digest('base64url')}`;
  };
  const head = { alg: 'HS256', typ: 'cartesia-broker+jwt', kid };
  const claims = decodeJwt(token);
  t.match(await authenticate([one], sign(head, claims)), { outcome: 'authenticated' }, 'the forger has the secret');

  const { exp: _exp, ...forever } = claims;
  const forged: readonly [string, string][] = [
    ['another payload', `${header}.${encode({ ...claims, sub: 'user-2' })}.${signature}`],
    ['no signature', `${header}.${payload}.`],
    ['alg none', `${encode({ ...head, alg: 'none' })}.${payload}.`],
    ['another algorithm', sign({ ...head, alg: 'HS512' }, claims)],
    ['an unknown key id', sign({ ...head, kid: 'other' }, claims)],
    ['another issuer', sign(head, { ...claims, iss: 'someone' })],
    ['no expiry', sign(head, forever)],
    ['no subject', sign(head, { ...claims, sub: undefined })],
    ['a subject that is not text', sign(head, { ...claims, sub: 7 })],
    ['no client app', sign(head, { ...claims, client: undefined })],
    ['grants that are not an object', sign(head, { ...claims, grants: 'tts' })],
    ['no grants', sign(head, { ...claims, grants: null })],
    ['a critical extension', sign({ ...head, crit: ['x'], x: 1 }, claims)],
    ['five parts', `${token}.a.b`],
  ];
  for (const [name, text] of forged) {
    t.match(await authenticate([one], text), { outcome: 'refused', code: 'unauthenticated' }, name);
  }
});

test('a grant that is unknown or not true gives no access', async (t) => {
  const one = secret();
  const { kid } = decodeProtectedHeader(await mintWith([one]));
  const claims = { ...decodeJwt(await mintWith([one])), grants: { tts: 'yes', agent: 1, voices: true, stt: true } };
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'cartesia-broker+jwt', kid })}.${encode(claims)}`;
  const token = `${signed}.${createHmac('sha256', one.reveal()).update(signed).digest('base64url')}`;
  t.match(await authenticate([one], token), { outcome: 'authenticated', principal: { grants: ['stt'] } });
});

test('secrets renewed while tokens are in use: the first signs, all verify, and a removed one verifies nothing', async (t) => {
  const [first, second] = [secret(), secret()];
  const keys = signingKeys([first]);
  const minter = createProxiedMinter({ keys, now: () => NOW });
  const authenticator = createProxiedTokenAuthenticator({ keys, clients: CLIENTS, now: () => NOW });
  const outcome = async ({ token }: { readonly token: string }): Promise<string> =>
    (await authenticator.authenticate({ rawToken: token, place: 'authorization', connection: null })).outcome;
  const early = await minter.mint(ORDER);
  t.equal(await outcome(early), 'authenticated');

  keys.renew([second, first]);
  const late = await minter.mint(ORDER);
  t.not(decodeProtectedHeader(late.token).kid, decodeProtectedHeader(early.token).kid);
  t.strictSame([await outcome(early), await outcome(late)], ['authenticated', 'authenticated']);

  keys.renew([second]);
  t.equal(await outcome(early), 'refused', 'although it was accepted before');
  t.equal(await outcome(late), 'authenticated');
});
