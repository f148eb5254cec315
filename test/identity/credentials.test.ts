import { test } from 'tap';
import { MAX_CREDENTIAL_LENGTH, readCredential } from '../../src/identity/credentials.ts';
import { factsOf, parsedByNode } from './request-facts.ts';

const HEADERS_ONLY = { fromQuery: false };
const UPGRADE = { fromQuery: true };

test('a credential is found in every place where it may be', async (t) => {
  const cases: [string, Record<string, string>, string, boolean, unknown][] = [
    [
      'Bearer',
      { authorization: 'Bearer abc' },
      '',
      false,
      { rawToken: 'abc', place: 'authorization', connection: null },
    ],
    [
      'the scheme in any case',
      { authorization: 'bEARER abc' },
      '',
      false,
      { rawToken: 'abc', place: 'authorization', connection: null },
    ],
    [
      'several spaces',
      { authorization: 'Bearer   abc' },
      '',
      false,
      { rawToken: 'abc', place: 'authorization', connection: null },
    ],
    ['X-API-Key', { 'x-api-key': 'cb_x' }, '', false, { rawToken: 'cb_x', place: 'x-api-key', connection: null }],
    [
      'the same one in both headers',
      { authorization: 'Bearer abc', 'x-api-key': 'abc' },
      '',
      false,
      { rawToken: 'abc', place: 'authorization', connection: null },
    ],
    [
      'access_token on an upgrade',
      {},
      'a=b&access_token=abc',
      true,
      { rawToken: 'abc', place: 'query', connection: null },
    ],
    ['api_key on an upgrade', {}, 'api_key=abc', true, { rawToken: 'abc', place: 'query', connection: null }],
    [
      'the same one in both parameters',
      {},
      'api_key=abc&access_token=abc',
      true,
      { rawToken: 'abc', place: 'query', connection: null },
    ],
    [
      'the same one in header and query',
      { authorization: 'Bearer abc' },
      'api_key=abc',
      true,
      { rawToken: 'abc', place: 'authorization', connection: null },
    ],
    ['percent-encoding in a query', {}, 'api_key=a%2Eb', true, { rawToken: 'a.b', place: 'query', connection: null }],
    [
      'a header beside a query that does not count',
      { authorization: 'Bearer abc' },
      'api_key=other',
      false,
      { rawToken: 'abc', place: 'authorization', connection: null },
    ],
  ];
  for (const [name, headers, query, fromQuery, credential] of cases) {
    t.strictSame(readCredential(factsOf(headers), query, { fromQuery }), { outcome: 'found', credential }, name);
  }
});

test('a request without a credential has none', async (t) => {
  t.strictSame(readCredential(factsOf({ cookie: 'a=b' }), 'grants=tts', HEADERS_ONLY), { outcome: 'none' });
  t.strictSame(readCredential(factsOf({}), 'grants=tts', UPGRADE), { outcome: 'none' });
});

test('two different credentials are an invalid request', async (t) => {
  const cases: [Record<string, string>, string, boolean][] = [
    [{ authorization: 'Bearer abc', 'x-api-key': 'abd' }, '', false],
    [{ authorization: 'Bearer abc' }, 'access_token=abd', true],
    [{ 'x-api-key': 'abc' }, 'api_key=ABC', true],
    [{}, 'access_token=abc&access_token=abd', true],
    [{}, 'access_token=abc&api_key=abd', true],
  ];
  for (const [headers, query, fromQuery] of cases) {
    const reading = readCredential(factsOf(headers), query, { fromQuery });
    t.match(reading, { outcome: 'refused', code: 'invalid_request', reason: 'credentials_differ' });
    t.notMatch(JSON.stringify(reading), /ab[cd]/i, 'neither is repeated in the answer');
  }
});

test('an unacceptable credential is refused, even beside a good one', async (t) => {
  const cases: [string, Record<string, string>, string][] = [
    ['Basic', { authorization: 'Basic dXNlcjpwYXNz' }, 'authorization_not_bearer'],
    ['Basic beside a key', { authorization: 'Basic dXNlcjpwYXNz', 'x-api-key': 'abc' }, 'authorization_not_bearer'],
    ['another scheme', { authorization: 'Digest username="x"' }, 'authorization_not_bearer'],
    ['Bearer as a prefix', { authorization: 'BearerX abc' }, 'authorization_not_bearer'],
    ['a token without a scheme', { authorization: 'abc' }, 'authorization_not_bearer'],
    ['no token', { authorization: 'Bearer' }, 'authorization_not_bearer'],
    ['only spaces', { authorization: 'Bearer    ' }, 'authorization_not_bearer'],
    ['a tab instead of a space', { authorization: 'Bearer\tabc' }, 'authorization_not_bearer'],
    ['an empty field', { authorization: '' }, 'authorization_not_bearer'],
    ['an empty key', { 'x-api-key': '' }, 'credential_malformed'],
    ['two tokens in a field', { authorization: 'Bearer abc, Bearer abc' }, 'credential_malformed'],
    ['a control character', { 'x-api-key': 'ab\u0001c' }, 'credential_malformed'],
    ['a DEL', { 'x-api-key': 'ab\u007fc' }, 'credential_malformed'],
    ['a tab', { authorization: 'Bearer a\tb' }, 'credential_malformed'],
    ['an inner space', { 'x-api-key': 'a b' }, 'credential_malformed'],
    ['a non-ASCII character', { 'x-api-key': 'abcé' }, 'credential_malformed'],
    ['8193 characters', { 'x-api-key': 'a'.repeat(MAX_CREDENTIAL_LENGTH + 1) }, 'credential_too_long'],
  ];
  for (const [name, headers, reason] of cases) {
    const reading = readCredential(factsOf(headers), '', HEADERS_ONLY);
    t.strictSame(reading, { outcome: 'refused', code: 'unauthenticated', reason }, name);
  }
  const longest = factsOf({ 'x-api-key': 'a'.repeat(MAX_CREDENTIAL_LENGTH) });
  t.equal(readCredential(longest, '', HEADERS_ONLY).outcome, 'found', '8192 characters pass');
});

test('a credential in the query is checked by the same rules', async (t) => {
  for (const value of ['', '%00', '%0d%0a', 'a+b', '%zz%ff', 'caf%C3%A9', 'a'.repeat(MAX_CREDENTIAL_LENGTH + 1)]) {
    t.match(
      readCredential(factsOf({}), `access_token=${value}`, UPGRADE),
      { outcome: 'refused', code: 'unauthenticated' },
      value.slice(0, 12),
    );
  }
});

test('a credential in the URL of a plain request is refused, not ignored', async (t) => {
  for (const query of ['access_token=abc', 'x=1&api_key=abc', '%61pi_key=abc', 'api_key=']) {
    const expected = { outcome: 'refused', code: 'unauthenticated', reason: 'credential_in_query' };
    t.strictSame(readCredential(factsOf({}), query, HEADERS_ONLY), expected, query);
  }
});

test('a repeated header is refused, whatever Node makes of it', async (t) => {
  const differ = { outcome: 'refused', code: 'invalid_request', reason: 'credentials_differ' };
  const authorization = await parsedByNode(['Authorization: Bearer abc', 'aUTHORIZATION: Bearer abd']);
  t.equal(authorization.headers.authorization, 'Bearer abc', 'Node keeps the first');
  t.match(readCredential(authorization, '', HEADERS_ONLY), differ);
  const apiKey = await parsedByNode(['X-API-Key: abc', 'x-api-key: abd']);
  t.equal(apiKey.headers['x-api-key'], 'abc, abd', 'Node joins them');
  t.match(readCredential(apiKey, '', HEADERS_ONLY), differ);
  const third = await parsedByNode(['X-API-Key: abc', 'X-API-Key: abc', 'X-API-Key: abd']);
  t.match(readCredential(third, '', HEADERS_ONLY), differ, 'the third one differs');

  const sameAuthorization = await parsedByNode(['Authorization: Bearer abc', 'Authorization: Bearer abc']);
  const code = 'unauthenticated';
  t.match(readCredential(sameAuthorization, '', HEADERS_ONLY), { code, reason: 'authorization_repeated' });
  const sameApiKey = await parsedByNode(['X-API-Key: abc', 'x-api-key: abc']);
  t.match(readCredential(sameApiKey, '', HEADERS_ONLY), { code, reason: 'api_key_repeated' });
});

test('non-ASCII bytes arrive unchanged and are refused', async (t) => {
  const facts = await parsedByNode(['X-API-Key: ab\u00e9']);
  t.match(readCredential(facts, '', HEADERS_ONLY), { outcome: 'refused', reason: 'credential_malformed' });
});
