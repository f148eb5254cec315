// States in which Redis is up but cannot answer some or all calls: how they are reported, and how they end.
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { Problem } from '../../src/errors/problems.ts';
import { createRevocations } from '../../src/limits/revocations.ts';
import { createRedisLink, type RedisLink } from '../../src/store/redis/redis-link.ts';
import { createRedisPresence } from '../../src/store/redis/redis-presence.ts';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import type { StoreCondition } from '../../src/store/store-condition.ts';
import { until } from '../e2e/limits-answers.ts';
import { type Answering, greeting, lookAlike } from './look-alike.ts';
import { redisServer } from './redis-server.ts';
import { slowRelay } from './slow-relay.ts';

interface Told {
  readonly link: RedisLink;
  readonly conditions: StoreCondition[];
  readonly reasons: () => readonly (string | null)[];
}

async function told(t: Test, url: string): Promise<Told> {
  const conditions: StoreCondition[] = [];
  const link = await createRedisLink({
    url: { current: new Secret(url) },
    onCondition: (condition) => conditions.push(condition),
  });
  t.teardown(() => link.close());
  return { link, conditions, reasons: () => conditions.map(({ reason }) => reason) };
}

const get = (link: RedisLink): Promise<string> =>
  link.command('look', 'GET', 'a').then(
    () => 'answered',
    (error: unknown) => (error instanceof Problem ? error.code : String(error)),
  );

/** Redis's replies in such a state; `info` is its reply to INFO. */
const inState =
  (error: string, info = ''): Answering =>
  (command, args) => {
    if (command === 'hello' || command === 'subscribe') return greeting(command, args);
    return command === 'info' && info !== '' ? `$${info.length}\r\n${info}\r\n` : `-${error}\r\n`;
  };
const well: Answering = (command, args) => greeting(command, args) ?? (command === 'get' ? '$-1\r\n' : '+OK\r\n');

const LOADING = inState('LOADING Redis is loading the dataset in memory', 'loading:1\r\nloading_eta_seconds:600\r\n');
const BUSY = inState('BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.');

test('a Redis that is loading its dataset or running a script is reported by its word, and used again once done', async (t) => {
  for (const [word, state, database] of [
    ['LOADING', LOADING, ''],
    ['BUSY', BUSY, ''],
    ['BUSY', BUSY, '/1'],
  ] as const) {
    const server = await lookAlike(t, state);
    const { link, reasons } = await told(t, server.url + database);
    await until(() => reasons().includes(word));
    t.equal(link.state, 'starting');
    t.equal(await get(link), 'store_unavailable');
    server.answer = well;
    const doneMs = performance.now();
    await link.reached;
    t.ok(performance.now() - doneMs < 1_000, `${word}: ${Math.round(performance.now() - doneMs)} ms`);
    t.strictSame(
      reasons().filter((reason) => reason !== 'CLOSED'),
      [word, null],
    );
    t.equal(await get(link), 'answered');
    server.answer = state;
    for (let i = 0; i < 3; i += 1) await get(link);
    const samples = new Set<string>();
    for (let i = 0; i < 60; i += 1) {
      samples.add(link.state);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    t.strictSame([...samples], ['away'], 'also between two checks');
    server.answer = well;
    await until(() => link.state === 'up');
  }
});

test('a copy that has lost its primary is left for whatever its address leads to now', async (t) => {
  const [old, next] = await Promise.all([redisServer(t), redisServer(t)]);
  const way = await slowRelay(t, old.port);
  const { link, reasons } = await told(t, way.url);
  const operator = (await told(t, old.url.reveal())).link;
  await Promise.all([link.reached, operator.reached]);
  await operator.command('stale', 'CONFIG', 'SET', 'replica-serve-stale-data', 'no');
  await operator.command('demote', 'REPLICAOF', '127.0.0.1', '1');
  for (let i = 0; i < 3; i += 1) t.equal(await get(link), 'store_unavailable');
  await until(() => reasons().includes('MASTERDOWN'));
  way.port = next.port;
  await until(async () => (await get(link)) === 'answered');
});

test('a copy is left repeatedly, and each time reconnected as quickly as the first', async (t) => {
  const server = await redisServer(t);
  const { link } = await told(t, server.url.reveal());
  const operator = (await told(t, server.url.reveal())).link;
  await Promise.all([link.reached, operator.reached]);
  await operator.command('demote', 'REPLICAOF', '127.0.0.1', '1');
  const awayMs: number[] = [];
  let sinceMs: number | null = null;
  await until(async () => {
    await link.command('write', 'SET', 'a', '1').catch(() => {});
    const now = performance.now();
    if (link.state !== 'up') sinceMs ??= now;
    else if (sinceMs !== null) {
      awayMs.push(now - sinceMs);
      sinceMs = null;
    }
    return awayMs.length === 5;
  });
  const shown = awayMs.map(Math.round).join(', ');
  t.ok(Math.min(...awayMs.slice(3)) < 150, `away for ${shown} ms`); // a busy machine may lengthen one of them
});

/** A Redis that cannot save its snapshot, or that has no memory left. */
const FULL: readonly (readonly [
  reason: string,
  fill: (link: RedisLink, directory: string) => Promise<unknown>,
  empty: (link: RedisLink, directory: string) => Promise<unknown>,
])[] = [
  [
    'MISCONF',
    async (link, directory) => {
      await mkdir(join(directory, 'dump.rdb')); // a directory is in the way of the snapshot
      await link.command('save', 'CONFIG', 'SET', 'save', '1 1');
      await link.command('snapshot', 'BGSAVE');
      await until(async () => /rdb_last_bgsave_status:err/.test(String(await link.command('look', 'INFO'))));
    },
    async (link, directory) => {
      await rmdir(join(directory, 'dump.rdb'));
      // Redis also retries by itself, so one may already be running.
      await link.command('snapshot', 'BGSAVE').catch(() => {});
      await until(async () => /rdb_last_bgsave_status:ok/.test(String(await link.command('look', 'INFO'))));
    },
  ],
  [
    'OOM',
    (link) => link.command('fill', 'CONFIG', 'SET', 'maxmemory', '1'),
    (link) => link.command('empty', 'CONFIG', 'SET', 'maxmemory', '0'),
  ],
];

for (const [reason, fill, empty] of FULL)
  test(`${reason}: reported once, even with successful reads in between, and once more when it is over`, async (t) => {
    const directory = t.testdir({});
    const server = await redisServer(t, { directory });
    const operator = (await told(t, server.url.reveal())).link;
    const conditions: StoreCondition[] = [];
    const store = await createRedisStore({
      url: { current: server.url },
      prefix: 'p',
      onCondition: (condition) => conditions.push(condition),
    });
    t.teardown(() => store.close());
    await Promise.all([store.reached, operator.reached]);
    let bookings = 0;
    const book = async (amount: number, limit = 100): Promise<string> => {
      bookings += 1;
      const lines = [{ name: 'characters', isOfSubject: false, window: 'day', limit }] as const;
      try {
        return (await store.budgets.book('web', { id: String(bookings), lines, subject: 'ann', amount })).outcome;
      } catch (error) {
        return error instanceof Problem ? error.code : String(error);
      }
    };
    t.equal(await book(10), 'booked');
    await fill(operator, directory);
    conditions.length = 0;
    for (let round = 0; round < 3; round += 1) {
      t.equal(await book(1), 'store_unavailable');
      t.equal(await book(0), 'booked', 'an amount of 0 only asks whether anything is left');
      t.equal(await book(1, 5), 'exceeded', 'and a booking beyond the limit is refused');
      t.strictSame(await store.revocations.list(), []);
    }
    t.strictSame(conditions, [{ state: 'up', reason }]);
    await empty(operator, directory);
    await until(async () => (await book(1)) === 'booked');
    t.strictSame(conditions.slice(1), [{ state: 'up', reason: null }]);
  });

test("announcing a replica's presence does not make a full Redis count as writable again", async (t) => {
  const server = await redisServer(t);
  const { link, conditions } = await told(t, server.url.reveal());
  const operator = (await told(t, server.url.reveal())).link;
  await Promise.all([link.reached, operator.reached]);
  await operator.command('fill', 'CONFIG', 'SET', 'maxmemory', '1');
  await link.command('write', 'SET', 'a', '1').catch(() => {});
  let present = (): void => {};
  const presence = createRedisPresence({ ...link, onReady: (tell) => (present = tell) }, 'p', 'replica');
  t.teardown(() => presence.close());
  present();
  await link.command('look', 'PING'); // answered after the presence call
  t.equal(await operator.command('look', 'ZCARD', presence.key), 1, 'its presence is recorded all the same');
  t.strictSame(conditions.at(-1), { state: 'up', reason: 'OOM' });
});

test('a server that is not Redis, or that never answers, is reported as such', async (t) => {
  for (const [reason, said] of [
    ['NOT_REDIS', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['NOT_REDIS', '+OK\r\n'],
    ['UNANSWERED', ''],
    ['MAX_CLIENTS', '-ERR max number of clients reached\r\n'],
  ] as const) {
    const server = await lookAlike(t, () => said);
    const { link, reasons } = await told(t, server.url);
    await until(() => reasons().includes(reason));
    t.equal(link.state, 'starting');
  }
});

test('a Redis that comes and goes many times a second does not fill the log', async (t) => {
  const server = await lookAlike(t, (command, args) => `${greeting(command, args) ?? '+OK\r\n'}$-1\r\n`);
  const { conditions } = await told(t, server.url);
  await until(() => server.connections > 30);
  t.ok(conditions.length <= 12, `${conditions.length} lines`);
  server.answer = well;
  await until(() => conditions.at(-1)?.state === 'up');
});

test('if the subscribing connection is refused, the log says that replicas do not hear each other, and when they do again', async (t) => {
  const server = await redisServer(t);
  const { link, conditions, reasons } = await told(t, server.url.reveal());
  const operator = (await told(t, server.url.reveal())).link;
  let heard = 0;
  link.subscribe('news', () => (heard += 1));
  await Promise.all([link.reached, operator.reached]);
  const isHeard = async (): Promise<boolean> => {
    await operator.command('say', 'PUBLISH', 'news', 'word');
    return heard > 0;
  };
  await until(isHeard);
  await operator.command('few', 'CONFIG', 'SET', 'maxclients', '1');
  await operator.command('kill', 'CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until(() => reasons().includes('HEARING_LOST'));
  t.equal(await get(link), 'answered');
  t.equal(link.state, 'up');
  await operator.command('more', 'CONFIG', 'SET', 'maxclients', '100');
  heard = 0;
  await until(isHeard);
  await until(() => conditions.at(-1)?.reason === null);
  t.equal(reasons().filter((reason) => reason === 'HEARING_LOST').length, 1);
});

test('a missing permission is reported once, all else is served, and nobody is let in while the revocations cannot be read', async (t) => {
  const server = await redisServer(t);
  const operator = (await told(t, server.url.reveal())).link;
  await operator.reached;
  const rights = (...changes: readonly string[]): Promise<unknown> =>
    operator.command('acl', 'ACL', 'SETUSER', 'small', 'on', '>pw', '~*', '&*', '+@all', ...changes);
  await rights('-info');
  const conditions: StoreCondition[] = [];
  const store = await createRedisStore({
    url: { current: new Secret(`redis://small:pw@127.0.0.1:${server.port}`) },
    prefix: 'p',
    onCondition: (condition) => conditions.push(condition),
  });
  const revocations = createRevocations({ store, onEvent: () => {} });
  t.teardown(async () => {
    revocations.close();
    await store.close();
  });
  await revocations.known;
  const caller = { client: 'web', subject: 'ann', method: 'key', claims: {} };
  const checked = (): string => {
    try {
      revocations.check(caller);
      return 'let in';
    } catch (error) {
      return error instanceof Problem ? error.code : String(error);
    }
  };
  t.equal(checked(), 'let in');
  t.strictSame(conditions, [{ state: 'up', reason: null }], 'finding out whether Redis is up needs no permission');
  await rights('-get');
  await until(() => checked() === 'store_unavailable');
  for (let i = 0; i < 10; i += 1) await t.resolves(store.rates?.hit('name', 1_000) ?? Promise.reject());
  t.strictSame(conditions.slice(1), [{ state: 'up', reason: 'NOPERM' }]);
  t.equal(store.state, 'up');
  await rights();
  await until(() => checked() === 'let in');
});
