import { test } from 'tap';
import { readRecording } from '../../../src/simulator/audio/recording.ts';
import { call, simulatorFor, VOICE } from '../call.ts';

interface Page {
  readonly data: readonly Record<string, unknown>[];
  readonly has_more: boolean;
}

const idsOf = (page: unknown) => (page as Page).data.map(({ id }) => id);

test('voices have the fields of the version', async (t) => {
  const simulator = await simulatorFor(t);
  const keysIn = async (version: string) => {
    const { json } = await call(simulator, 'GET /voices', { version });
    return Object.keys((Array.isArray(json) ? json : (json as Page).data)[0] as object).sort();
  };
  const first = ['created_at', 'description', 'id', 'is_owner', 'is_public', 'language', 'name'];
  t.strictSame(await keysIn('2024-06-10'), first);
  t.strictSame(await keysIn('2024-11-13'), first);
  t.strictSame(await keysIn('2025-11-04'), [...first, 'gender'].sort());
  const newest = ['access', 'accent', 'country', 'gender', 'locales', 'tagline', 'visibility'];
  t.strictSame(await keysIn('2026-08-14'), [...first.filter((key) => key !== 'is_public'), ...newest].sort());
  t.ok(Array.isArray((await call(simulator, 'GET /voices', { version: '2024-06-10' })).json), 'a bare list at first');
});

test('pages can be walked in both directions', async (t) => {
  const simulator = await simulatorFor(t);
  const all = idsOf((await call(simulator, 'GET /voices')).json);
  t.equal(all.length, 4);
  const page = async (query: string) => {
    const { json } = await call(simulator, `GET /voices?${query}`);
    return [idsOf(json), (json as Page).has_more];
  };
  t.strictSame(await page('limit=3'), [all.slice(0, 3), true]);
  t.strictSame(await page(`limit=3&starting_after=${all[2]}`), [all.slice(3), false]);
  t.strictSame(await page(`limit=2&ending_before=${all[3]}`), [all.slice(1, 3), true]);
  t.strictSame(await page(`limit=2&ending_before=${all[1]}`), [all.slice(0, 1), false]);
  t.strictSame(await page(`starting_after=${all[3]}`), [[], false]);
});

test('voices can be searched', async (t) => {
  const simulator = await simulatorFor(t);
  const found = async (query: string) => idsOf((await call(simulator, `GET /voices?${query}`)).json).length;
  t.equal(await found('q=BARITONE'), 1);
  t.equal(await found('gender=feminine'), 2);
  t.equal(await found('is_owner=true'), 0);
  t.equal(await found('q=nothing'), 0);
});

test('a voice can be read by id; an unknown id is a 404', async (t) => {
  const simulator = await simulatorFor(t);
  t.match(await call(simulator, `GET /voices/${VOICE}`), { status: 200, json: { id: VOICE, language: 'en' } });
  const missing = await call(simulator, 'GET /voices/00000000-0000-4000-8000-000000000000');
  t.match(missing, { status: 404, json: { title: 'Voice not found' } });
});

test('a preview is included if requested, and needs the key to be played', async (t) => {
  const simulator = await simulatorFor(t);
  t.notOk(Object.hasOwn((await call(simulator, `GET /voices/${VOICE}`)).json as object, 'preview_file_url'));
  const { json } = await call(simulator, `GET /voices/${VOICE}?expand[]=preview_file_url`);
  const url = new URL((json as { preview_file_url: string }).preview_file_url);
  t.equal(url.origin, simulator.url);
  t.equal((await call(simulator, `GET ${url.pathname}`, { credential: null })).status, 401);
  const played = await call(simulator, `GET ${url.pathname}`);
  t.equal(played.headers.get('content-type'), 'audio/wav');
  t.ok(((await readRecording(played.bytes))?.samples.length ?? 0) > 24_000);
});

test('accents are listed in order', async (t) => {
  const simulator = await simulatorFor(t);
  const { accents } = (await call(simulator, 'GET /accents')).json as { accents: { id: string }[] };
  t.match(accents[0], { id: 'british', locale: 'en-GB', language: 'en', name: 'British', is_localizable: true });
  t.strictSame(
    accents.map(({ id }) => id),
    accents.map(({ id }) => id).sort(),
  );
});

test('the SDKs 2.x write a slash behind the list of voices', async (t) => {
  const simulator = await simulatorFor(t);
  const listed = await call(simulator, 'GET /voices/', { version: '2024-06-10' });
  t.equal(listed.status, 200);
  t.strictSame(listed.json, (await call(simulator, 'GET /voices', { version: '2024-06-10' })).json);
  t.match((await call(simulator, 'POST /voices/', { json: {}, version: '2024-06-10' })).json, { id: /^voice_/ });
});
