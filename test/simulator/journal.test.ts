import { test } from 'tap';
import { Journal, type OpenEntry, splitTarget } from '../../src/simulator/journal.ts';
import { call, generation, simulatorFor } from './call.ts';
import { exchange, head } from './raw-client.ts';

const LIMITS = { maximumEntries: 3, textBytes: 8, frames: true, frameBytes: 10_000, bodyBytes: 10_000 };
const ARRIVAL = {
  connection: 1,
  secure: false,
  transport: 'websocket',
  at: 0,
  method: 'GET',
  rawHeaders: [],
  requestId: 'id',
  headers: {},
} as const;

test('a request is recorded with everything that a test may need', async (t) => {
  const simulator = await simulatorFor(t, { now: () => 1_000 });
  const json = generation();
  await call(simulator, 'POST /tts/bytes?a=1&a=2&b=%20', { json, headers: { 'X-Custom': 'One' } });
  const [entry] = simulator.journal.entries({ method: 'POST', path: '/tts/bytes' });
  t.match(entry, {
    id: 1,
    secure: false,
    transport: 'http',
    at: 1_000,
    method: 'POST',
    path: '/tts/bytes',
    url: '/tts/bytes?a=1&a=2&b=%20',
    query: { a: '1', b: ' ' },
    headers: { 'x-custom': 'One', authorization: 'Bearer sk_car_simulated', 'cartesia-version': '2026-08-14' },
    status: 200,
    outcome: 'completed',
    body: JSON.stringify(json),
    bytesIn: JSON.stringify(json).length,
  });
  t.ok(entry?.rawHeaders.includes('X-Custom'), 'names as sent');
  t.ok((entry?.bytesOut ?? 0) > 10_000);
  t.strictSame(simulator.journal.entries({ path: '/stt' }), []);
  simulator.journal.clear();
  t.strictSame(simulator.journal.entries(), []);
});

test('requests on one connection carry its number', async (t) => {
  const simulator = await simulatorFor(t);
  await exchange(simulator, head('GET', '/') + head('GET', '/', { connection: 'close' }));
  await exchange(simulator, head('GET', '/', { connection: 'close' }));
  const [first, second, third] = simulator.journal.entries().map(({ connection }) => connection);
  t.equal(first, second);
  t.not(first, third);
});

test('the oldest entries are dropped', async (t) => {
  const journal = new Journal(() => LIMITS);
  for (const url of ['/1', '/2', '/3', '/4']) journal.open({ ...ARRIVAL, url });
  t.strictSame(
    journal.entries().map(({ path }) => path),
    ['/2', '/3', '/4'],
  );
});

test('frames are kept with their kind and truncated text, or only counted', async (t) => {
  const limits = { ...LIMITS };
  const journal = new Journal(() => limits);
  const entry = journal.open({ ...ARRIVAL, url: '/' });
  journal.frame(entry, { at: 1, from: 'client', kind: 'text' }, '0123456789');
  journal.frame(entry, { at: 2, from: 'server', kind: 'binary' }, new Uint8Array(5));
  journal.frame(entry, { at: 3, from: 'server', kind: 'close', code: 1000 }, 'bye');
  t.strictSame(entry.frames, [
    { at: 1, from: 'client', kind: 'text', bytes: 10, text: '01234567' },
    { at: 2, from: 'server', kind: 'binary', bytes: 5 },
    { at: 3, from: 'server', kind: 'close', code: 1000, bytes: 3, text: 'bye' },
  ]);
  limits.frames = false;
  journal.frame(entry, { at: 4, from: 'client', kind: 'binary' }, new Uint8Array(100));
  t.equal(entry.frames.length, 3);
  t.strictSame([entry.bytesIn, entry.bytesOut], [110, 8]);
});

test('a long body is truncated, but its full length is counted', async (t) => {
  const journal = new Journal(() => LIMITS);
  const entry = journal.open({ ...ARRIVAL, url: '/' });
  journal.received(entry, Buffer.from('12345'));
  journal.received(entry, Buffer.from('67890'));
  journal.received(entry, Buffer.from('more'));
  t.strictSame([entry.body, entry.bytesIn], ['12345678', 14]);
});

test('a character that arrives in two chunks is one character in the body', async (t) => {
  const journal = new Journal(() => ({ ...LIMITS, textBytes: 100 }));
  const entry = journal.open({ ...ARRIVAL, url: '/' });
  const text = 'zwölf Sprachen, 音声';
  for (const byte of Buffer.from(text)) journal.received(entry, Buffer.of(byte));
  t.equal(entry.body, text);
});

test('an entry can be waited for before and after it arrives', async (t) => {
  const journal = new Journal(() => LIMITS);
  const coming = journal.waitFor({ path: '/x' });
  const entry = journal.open({ ...ARRIVAL, url: '/x?y=1' });
  journal.update(entry, { status: 101 });
  journal.update(entry, { outcome: 'completed' });
  journal.update(entry, { outcome: 'aborted' });
  t.equal((await coming).outcome, 'completed', 'the first outcome is kept');
  t.equal((await journal.waitFor({ method: 'GET', path: '/x' })).status, 101);
  await t.rejects(
    journal.waitFor({ path: '/never' }, undefined, { timeoutMs: 5 }),
    /no such journal entry within 5 ms/,
  );
});

test('an entry from before a clear is not taken for a new one when it ends', async (t) => {
  const journal = new Journal(() => LIMITS);
  const old = journal.open({ ...ARRIVAL, url: '/x' });
  journal.clear();
  const coming = journal.waitFor({ path: '/x' });
  journal.update(old, { outcome: 'completed' });
  const entry = journal.open({ ...ARRIVAL, url: '/x' });
  journal.update(entry, { outcome: 'completed' });
  t.equal((await coming).id, entry.id);
});

test('a target of any form is split into path and query', async (t) => {
  t.strictSame(splitTarget('/a/b?c=d?e'), ['/a/b', 'c=d?e']);
  t.strictSame(splitTarget('/'), ['/', '']);
  t.strictSame(splitTarget('?x=1'), ['/', 'x=1']);
  t.strictSame(splitTarget('http://host:80/a?b'), ['/a', 'b']);
  t.strictSame(splitTarget('http://host'), ['/', '']);
  t.strictSame(splitTarget('//host/a'), ['//host/a', '']);
});

test('frames beyond the memory limit push out the oldest', async (t) => {
  const journal = new Journal(() => ({ ...LIMITS, frameBytes: 1_000 }));
  const [first, second] = ['/first', '/second'].map((url) => journal.open({ ...ARRIVAL, url }));
  if (first === undefined || second === undefined) throw new Error('two entries were opened');
  for (let n = 0; n < 4; n += 1) journal.frame(first, { at: n, from: 'client', kind: 'binary' });
  for (let n = 0; n < 2; n += 1) journal.frame(second, { at: n, from: 'client', kind: 'binary' });
  t.strictSame(
    first.frames.map(({ at }) => at),
    [2, 3],
    "the older half of the oldest entry's frames was dropped",
  );
  t.equal(second.frames.length, 2);
});

test('bodies beyond the memory they may take push out the oldest', async (t) => {
  const journal = new Journal(() => ({ ...LIMITS, textBytes: 100, bodyBytes: 500 }));
  const opened = Array.from({ length: 3 }, () => journal.open({ ...ARRIVAL, transport: 'http', url: '/' }));
  const [first, second, third] = opened as [OpenEntry, OpenEntry, OpenEntry];
  for (const entry of opened) for (const part of ['a', 'b']) journal.received(entry, Buffer.from(part.repeat(50)));
  const kept = `${'a'.repeat(50)}${'b'.repeat(50)}`;
  t.strictSame([first.body, second.body, third.body], ['', kept, kept]);
  journal.received(first, Buffer.from('c'));
  t.equal(first.body, '', 'an end is not taken for the whole');
  t.equal(first.bytesIn, 101);
  journal.clear();
  journal.received(second, Buffer.from('d'));
  t.equal(second.body, kept, 'an entry that is gone grows no more');
});

test('a part of a large text does not keep the whole of it in memory', async (t) => {
  const journal = new Journal(() => ({ ...LIMITS, maximumEntries: 1_000, textBytes: 1_000, bodyBytes: 1_000_000 }));
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 300; n += 1) {
    const entry = journal.open({ ...ARRIVAL, url: '/' });
    journal.received(entry, Buffer.alloc(100_000, 0xff));
    journal.frame(entry, { at: 0, from: 'client', kind: 'text' }, Buffer.alloc(100_000, 0xff));
  }
  const grown = process.memoryUsage().heapUsed - before;
  t.ok(grown < 30_000_000, `${grown} bytes for 300 entries`);
  t.equal(journal.entries().length, 300);
});
