import fc from 'fast-check';
import { test } from 'tap';
import { queryOf } from '../../src/listener/request-target.ts';
import { passQuery, targetOf } from '../../src/proxy/target.ts';

test('parameters that are not ours to change pass as they were written', async (t) => {
  for (const query of [
    'encoding=pcm_s16le&sample_rate=16000',
    'expand[]=preview_file_url&expand[]=x',
    'q=caf%C3%A9&limit=10',
    'a&b=&=c',
    'keyterm=two%20words&keyterm=two+words',
    'x=%2526&y=a%3Bb',
  ]) {
    t.strictSame(passQuery(query), { text: `?${query}`, version: undefined }, query);
  }
});

test('an empty query, or one with nothing left in it, is dropped', async (t) => {
  for (const query of ['', '&', '&&&', 'api_key=x', 'access_token=x&api_key=y&']) {
    t.equal(passQuery(query).text, '', query);
  }
});

test('a credential or a version never passes, however its name is spelled', async (t) => {
  const names = [
    'api_key',
    'API_KEY',
    'Api_Key',
    'api-key',
    'access_token',
    'Access-Token',
    'authorization',
    'Authorization',
    'x-api-key',
    'X_API_KEY',
    'cartesia_version',
    'CARTESIA_VERSION',
    'cartesia-version',
    '%61pi_key',
    'api%5Fkey',
    '%41%50%49%5f%4b%45%59',
    'access%5ftoken',
    '%61uthorization',
    'cartesia%5Fversion',
  ];
  for (const name of names) {
    t.equal(passQuery(`${name}=secret`).text, '', name);
    t.equal(passQuery(`a=1&${name}=secret&b=2`).text, '?a=1&b=2', `${name} between others`);
    t.equal(passQuery(`${name}&a=1`).text, '?a=1', `${name} without a value`);
  }
  t.equal(passQuery('api_key=1&api_key=2&a=1&access_token=3').text, '?a=1', 'each time it occurs');
});

test('a name escaped twice is another name, for Cartesia as for us', async (t) => {
  t.equal(passQuery('%2561pi_key=x').text, '?%2561pi_key=x');
});

test('no spelling of a stripped name survives: any characters escaped, any case', async (t) => {
  const spelled = fc
    .constantFrom('api_key', 'access_token', 'authorization', 'x-api-key', 'cartesia_version')
    .chain((name) =>
      fc
        .array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: name.length, maxLength: name.length })
        .map((choices) =>
          [...name]
            .map((letter, at) => {
              const [isEscaped = false, isUpper = false] = choices[at] ?? [];
              const written = isUpper ? letter.toUpperCase() : letter;
              return isEscaped ? `%${written.charCodeAt(0).toString(16)}` : written;
            })
            .join(''),
        ),
    );
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(spelled, (name) => {
          if (passQuery(`a=1&${name}=2026-03-01`).text !== '?a=1') throw new Error(name);
        }),
        { numRuns: 300 },
      ),
    '300 spellings',
  );
});

test('the version in the query is read', async (t) => {
  t.strictSame(passQuery('cartesia_version=2025-04-16'), { text: '', version: '2025-04-16' });
  t.strictSame(passQuery('cartesia%5Fversion=2025%2D04%2D16&a=b'), { text: '?a=b', version: '2025-04-16' });
  t.strictSame(passQuery('cartesia_version'), { text: '', version: '' }, 'an empty one is invalid, and refused later');
});

test('an ambiguous or malformed query is refused', async (t) => {
  const unclear: Readonly<Record<string, string>> = {
    'two versions': 'cartesia_version=2025-04-16&cartesia_version=2025-04-16',
    'two versions in two spellings': 'cartesia_version=2025-04-16&CARTESIA%5FVERSION=2026-03-01',
    'a broken escape in a name': 'a%zz=b',
    'a broken escape in a value': 'a=%zz',
    'an escape cut short': 'a=%4',
    'an escape that is not UTF-8': 'a=%ff',
    'a semicolon, which some take for an ampersand': 'a=b;api_key=c',
    'a semicolon in a name': 'a;api_key=c',
    'a hash sign': 'a=b#api_key=c',
    'a quote': 'a="b"',
    'an angle bracket': 'a=<b>',
    'a backslash': 'a=\\b',
    'a byte above ASCII': 'a=\xe9',
    'a control byte': 'a=b\x01',
    '201 parameters': `${'a=b&'.repeat(200)}a=b`,
  };
  for (const [name, query] of Object.entries(unclear)) {
    t.throws(() => passQuery(query), { code: 'invalid_request' }, name);
  }
  t.equal(passQuery(`${'a=b&'.repeat(199)}a=b`).text.length, 1 + 200 * 4 - 1, '200 parameters pass');
});

test('a refusal repeats nothing of the query', async (t) => {
  for (const query of ['secret%zz=1', 'a=secret%zz', 'cartesia_version=secret&cartesia_version=secret']) {
    try {
      passQuery(query);
      t.fail(query);
    } catch (error) {
      t.notOk((error as Error).message.includes('secret'));
    }
  }
});

const asked = (url: string, { id, version }: { id?: string; version?: string | string[] } = {}) =>
  ({
    params: id === undefined ? {} : { id },
    headers: version === undefined ? {} : { 'cartesia-version': version },
    raw: { url },
  }) as unknown as Parameters<typeof targetOf>[1];
const OURS = { version: '2026-03-01', versionPolicy: 'fill' } as const;

test('a target comes from the endpoint table, never from the requested path', async (t) => {
  const ID = '6ccbfb76-1fc6-48f7-b71d-91ac6298247b';
  for (const [path, request, target] of [
    ['/voices', asked('/voices?limit=10&api_key=x'), '/voices?limit=10'],
    ['/voices', asked('/VOICES/../x'), '/voices'],
    ['/voices/:id', asked('/voices/x', { id: ID }), `/voices/${ID}`],
  ] as const) {
    t.strictSame(targetOf({ path }, request, OURS), { target, version: OURS.version });
  }
  for (const id of [undefined, '..', 'a/b', '']) {
    const request = asked('/voices/x', id === undefined ? {} : { id });
    t.throws(() => targetOf({ path: '/voices/:id' }, request, OURS), { code: 'not_found' }, `${id}`);
  }
  t.strictSame(['/voices', '/voices?', '/voices?a=b?c'].map(queryOf), ['', '', 'a=b?c']);
});

test("the query's version precedes the header's, a repeated header is invalid, and `pin` means ours", async (t) => {
  const versionOf = (request: Parameters<typeof targetOf>[1], versionPolicy: 'fill' | 'pin' = 'fill') =>
    targetOf({ path: '/voices' }, request, { ...OURS, versionPolicy }).version;
  const header = { version: '2025-04-16' };
  t.equal(versionOf(asked('/voices', header)), '2025-04-16');
  t.equal(versionOf(asked('/voices?cartesia_version=2024-11-13', header)), '2024-11-13');
  t.equal(versionOf(asked('/voices', header), 'pin'), OURS.version);
  for (const request of [
    asked('/voices', { version: ['2025-04-16', '2025-04-16'] }),
    asked('/voices', { version: 'tomorrow' }),
    asked('/voices?cartesia_version=', header),
  ]) {
    t.throws(() => versionOf(request), { code: 'invalid_version' });
    t.throws(() => versionOf(request, 'pin'), { code: 'invalid_version' });
  }
});
