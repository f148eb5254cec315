import { test } from 'tap';
import { resolveSubject } from '../../src/identity/broker-subject.ts';
import type { AuthenticationMethod, Principal } from '../../src/identity/principal.ts';
import { clientConfig } from './client-config.ts';
import { factsOf, parsedByNode } from './request-facts.ts';

const trusted = clientConfig({ name: 'backend', trusted: true });
const untrusted = clientConfig({ name: 'backend', trusted: false });

function principal(method: AuthenticationMethod = 'app_key'): Principal {
  return { client: 'backend', subject: 'backend', method, claims: {}, grants: null, expiresAt: null };
}

test('a trusted backend may name its user', async (t) => {
  for (const subject of [
    'u',
    'user-1',
    'auth0|5f7c8ec7',
    'Ada Lovelace',
    'a@b.example',
    '~!"#$%&\'()',
    'x'.repeat(128),
  ]) {
    t.strictSame(
      resolveSubject(principal(), factsOf({ 'x-broker-subject': subject }), trusted),
      { outcome: 'resolved', principal: { ...principal(), subject } },
      subject,
    );
  }
});

test('without the header the principal stays the same object', async (t) => {
  const caller = principal();
  for (const client of [trusted, untrusted, undefined]) {
    const resolution = resolveSubject(caller, factsOf({}), client);
    t.equal(resolution.outcome === 'resolved' && resolution.principal, caller);
  }
});

test('no other caller may name a subject, well-formed or not', async (t) => {
  const refusal = { outcome: 'refused', code: 'subject_not_allowed', reason: 'subject_from_untrusted_client' };
  for (const subject of ['user-1', '', 'x'.repeat(129)]) {
    const facts = factsOf({ 'x-broker-subject': subject });
    t.strictSame(resolveSubject(principal(), facts, untrusted), refusal, 'an app key that is not trusted');
    t.strictSame(resolveSubject(principal(), facts, undefined), refusal, 'an unknown client app');
    for (const method of ['jwt', 'access_token', 'anonymous'] as const) {
      t.strictSame(resolveSubject(principal(method), facts, trusted), refusal, `${method} of a trusted client app`);
    }
  }
});

test('a malformed subject is an invalid request', async (t) => {
  const malformed = ['', ' ', ' a', 'a ', 'x'.repeat(129), 'a\tb', 'a\u0000b', 'a\u007f', 'jürgen', 'a\nb'];
  for (const subject of malformed) {
    const resolution = resolveSubject(principal(), factsOf({ 'x-broker-subject': subject }), trusted);
    t.match(
      resolution,
      { outcome: 'refused', code: 'invalid_request', reason: 'subject_malformed' },
      JSON.stringify(subject),
    );
  }
});

test('two subject headers do not become one subject with a comma', async (t) => {
  const facts = await parsedByNode(['X-Broker-Subject: alice', 'x-broker-subject: bob']);
  t.equal(facts.headers['x-broker-subject'], 'alice, bob');
  t.match(resolveSubject(principal(), facts, trusted), { outcome: 'refused', code: 'invalid_request' });
});
