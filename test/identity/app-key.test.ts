import { createHash } from 'node:crypto';
import { test } from 'tap';
import { appKeyDigest, createAppKey, createAppKeyAuthenticator } from '../../src/identity/app-key.ts';
import { clientConfig } from './client-config.ts';

const key = createAppKey();
const other = createAppKey();
const authenticator = createAppKeyAuthenticator([
  clientConfig({ name: 'kiosk', auth: { keys: [appKeyDigest(other)] } }),
  clientConfig({ name: 'backend', auth: { keys: [appKeyDigest(createAppKey()), appKeyDigest(key)] } }),
]);
const present = (rawToken: string) => authenticator.authenticate({ rawToken, place: 'x-api-key', connection: null });
const REFUSED = { outcome: 'refused', code: 'unauthenticated', reason: 'app_key_unknown' };

test('a new key is cb_ and 256 random bits', async (t) => {
  const keys = new Set(Array.from({ length: 1_000 }, createAppKey));
  t.equal(keys.size, 1_000, 'no two are alike');
  for (const made of keys) {
    if (!/^cb_[A-Za-z0-9_-]{43}$/.test(made)) t.fail(`not a key: ${made}`);
    if (Buffer.from(made.slice(3), 'base64url').length !== 32) t.fail(`not 32 bytes: ${made}`);
  }
});

test('the digest is the SHA-256 of the whole key, including its prefix', async (t) => {
  t.equal(appKeyDigest(key), createHash('sha256').update(key, 'utf8').digest('hex'));
  t.equal(appKeyDigest('test'), '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08');
});

test('a key names its client app, which is also the subject', async (t) => {
  t.strictSame(present(key), {
    outcome: 'authenticated',
    principal: { client: 'backend', subject: 'backend', method: 'app_key', claims: {}, grants: null, expiresAt: null },
  });
  t.match(present(other), { principal: { client: 'kiosk' } });
});

test('any other key is refused with the same answer', async (t) => {
  const wrong = [
    createAppKey(),
    `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`,
    key.slice(0, -1),
    `${key}A`,
    key.slice(3),
    key.toUpperCase(),
    'cb_',
    'x',
    appKeyDigest(key),
    `sha256:${appKeyDigest(key)}`,
    '__proto__',
    'constructor',
  ];
  for (const rawToken of wrong) t.strictSame(present(rawToken), REFUSED, rawToken);
});

test('a request without a credential is left to other authenticators', async (t) => {
  t.strictSame(authenticator.authenticate(null), { outcome: 'not_responsible' });
});

test('the answer is created once and cannot be changed', async (t) => {
  const answer = present(key);
  t.equal(present(key), answer);
  t.ok(Object.isFrozen(answer));
  t.match(answer, { outcome: 'authenticated' });
  if ('principal' in answer) t.ok(Object.isFrozen(answer.principal) && Object.isFrozen(answer.principal.claims));
});

test('one client app may list the same key twice', async (t) => {
  const twice = createAppKeyAuthenticator([clientConfig({ auth: { keys: [appKeyDigest(key), appKeyDigest(key)] } })]);
  t.match(twice.authenticate({ rawToken: key, place: 'x-api-key', connection: null }), { outcome: 'authenticated' });
});

test('two client apps with the same key are refused at start', async (t) => {
  const keys = [appKeyDigest(key)];
  const clients = [clientConfig({ name: 'a', auth: { keys } }), clientConfig({ name: 'b', auth: { keys } })];
  t.throws(() => createAppKeyAuthenticator(clients), { message: 'Client apps a and b have the same app key' });
});
