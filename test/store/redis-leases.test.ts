// Leases in Redis under events that the memory store cannot have.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import type { LeaseAsk, LeaseTimes } from '../../src/store/lease-rules.ts';
import { LEASE_KEYS } from '../../src/store/redis/lease-script.ts';
import { createRedisLink, type RedisLink } from '../../src/store/redis/redis-link.ts';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import type { LeasePool, Store } from '../../src/store/store.ts';
import { until } from '../e2e/limits-answers.ts';
import { ask, pool } from './lease-ask.ts';
import { type RedisServer, redisServer } from './redis-server.ts';

const PREFIX = 'broker';
const keyOf = (name: string): string => `${PREFIX}:{account}:tts:${name}`;

/** Long enough for whoever holds something to say so on a busy machine. */
const WARM = { warmMs: 1_000 };

interface Parts {
  readonly server: RedisServer;
  /** Does to Redis what an operator may do. */
  readonly operator: RedisLink;
  /** Opens one more replica. */
  readonly replica: (user?: string, times?: Partial<LeaseTimes>) => Promise<Store>;
}

async function setUp(t: Test): Promise<Parts> {
  const server = await redisServer(t, { directory: t.testdir() });
  const commandTimeoutMs = 2_000; // a busy machine is not what is tested here
  const operator = await createRedisLink({ url: { current: server.url }, commandTimeoutMs });
  t.teardown(() => operator.close());
  await operator.reached;
  return {
    server,
    operator,
    async replica(user = '', times = { warmMs: 0 }) {
      const store = await createRedisStore({
        url: { current: new Secret(`redis://${user}127.0.0.1:${server.port}`) },
        prefix: PREFIX,
        commandTimeoutMs,
        times,
      });
      t.teardown(() => store.close());
      await store.reached;
      return store;
    },
  };
}

test('a call to a Redis that has just become full takes effect completely or not at all', async (t) => {
  const { operator, replica } = await setUp(t);
  const leases = (await replica()).leases('tts');
  const rules = pool(10);
  for (let i = 0; i < 10; i += 1) {
    const one = ask('a', { clientMax: 2 });
    t.equal((await leases.acquire(rules, one)).outcome, 'granted');
    await operator.command('fill', 'CONFIG', 'SET', 'maxmemory', '1');
    await t.rejects(Promise.resolve(leases.release(rules, [one.id])), { code: 'store_unavailable' });
    await operator.command('fill', 'CONFIG', 'SET', 'maxmemory', '0');
    await leases.release(rules, [one.id]);
  }
  t.equal(await operator.command('look', 'HGET', keyOf('counts'), 'ca'), null);
});

test('a subject that waited and left is forgotten, even while others still wait', async (t) => {
  const { operator, replica } = await setUp(t);
  const leases = (await replica()).leases('tts');
  const rules = pool(1);
  const held = ask('a/holds');
  for (const one of [held, ask('a/waits'), ask('a/waits')]) await leases.acquire(rules, one);
  for (let i = 0; i < 20; i += 1) {
    const one = ask(`a/passer-by-${i}`);
    t.equal((await leases.acquire(rules, one)).outcome, 'queued');
    await leases.release(rules, [one.id]);
  }
  const names = String(await operator.command('look', 'HKEYS', keyOf('turns')));
  t.notMatch(names, 'passer-by');
  t.match(names, 'waits');
});

test('subjects that waited once are forgotten, even if the queue is never empty', async (t) => {
  const { operator, replica } = await setUp(t);
  const leases = (await replica()).leases('tts');
  const rules = pool(1);
  let held = ask('a/0');
  await leases.acquire(rules, held);
  const waiting: LeaseAsk[] = [];
  for (let i = 1; i <= 3_000; i += 1) {
    const next = ask(`a/${i}`);
    await leases.acquire(rules, next);
    waiting.push(next);
    if (waiting.length <= 5) continue;
    await leases.release(rules, [held.id]);
    held = waiting.shift() ?? held;
  }
  t.strictSame(
    (await leases.view(rules)).leases.map(({ id }) => id),
    [held.id],
    'they were served in order all the same',
  );
  const left = Number(await operator.command('look', 'HLEN', keyOf('turns')));
  t.ok(left < 1_100, `${left} entries`);
  for (const { subject } of waiting)
    t.equal(await operator.command('look', 'HEXISTS', keyOf('turns'), `s1:a${subject.length}:${subject}`), 1, subject);
});

test("after Redis's clock is set back by an hour, nothing is held for an hour", async (t) => {
  const { operator, replica } = await setUp(t);
  const store = await replica();
  const leases = store.leases('tts');
  const rules = pool(1);
  const [dead, waiting] = [ask('a'), ask('b', { waitMs: 500 })];
  await leases.acquire(rules, dead);
  await leases.acquire(rules, waiting);
  await leases.lower(rules);
  await store.rates?.hit('name', 60_000);
  // As Redis finds it after its clock was set back.
  const hour = '3600000';
  for (const name of ['seen', 'low_until', 'warm'])
    await operator.command('shift', 'HINCRBY', keyOf('pool'), name, hour);
  await operator.command('shift', 'ZINCRBY', keyOf('leases'), hour, dead.id);
  await operator.command('shift', 'ZINCRBY', keyOf('queue'), hour, waiting.id);
  await operator.command('shift', 'PEXPIRE', `${PREFIX}:rate:name`, hour);
  const holder = JSON.stringify(['a', 'a', 'replica', Date.now() + Number(hour)]);
  await operator.command('shift', 'HSET', keyOf('holders'), dead.id, holder);

  t.equal((await leases.acquire(rules, ask('c', { waitMs: 0 }))).outcome, 'refused', 'its holder may be alive');
  t.match((await leases.view(rules)).leases, [{ id: dead.id, ageMs: 0 }]);
  const expiryOf = async (name: string, id: string): Promise<number> =>
    Number(await operator.command('look', 'ZSCORE', keyOf(name), id)) - Date.now();
  const [leasedMs, waitingMs] = [await expiryOf('leases', dead.id), await expiryOf('queue', waiting.id)];
  t.ok(leasedMs > 0 && leasedMs <= 10_000, `a lease: ${leasedMs} ms`);
  t.ok(waitingMs <= 500, `a wait: ${waitingMs} ms`);
  for (const [name, mostMs] of [
    ['low_until', 10_000],
    ['warm', 0],
    ['seen', 0],
  ] as const)
    t.ok(Number(await operator.command('look', 'HGET', keyOf('pool'), name)) <= Date.now() + mostMs, name);
  t.ok(Number((await store.rates?.hit('name', 60_000))?.resetMs) <= 60_000, 'rates');
});

test('the first replica to find Redis emptied informs all the others', async (t) => {
  const { operator, replica } = await setUp(t);
  const [first, second] = await Promise.all([replica(), replica()]);
  const rules = pool(1);
  for (const store of [first, second]) await store.leases('tts').acquire(rules, ask('a'));
  let told = 0;
  second.listen({ onRenewed: () => (told += 1) });
  await operator.command('empty', 'FLUSHALL');
  told = 0;
  await first.leases('tts').view(rules);
  await until(() => told > 0);
  t.ok(told > 0);
});

test('a Redis that comes back with what it had written down earlier gives nothing out before all have said what they hold', async (t) => {
  const { server, operator, replica } = await setUp(t);
  const [first, second] = await Promise.all([replica('', WARM), replica('', WARM)]);
  const rules = pool(1);
  const poolOf = (store: Store): LeasePool => store.leases('tts');
  await until(async () => {
    const one = ask('a', { waitMs: 0 });
    const { outcome } = await poolOf(first).acquire(rules, one);
    await poolOf(first).release(rules, [one.id]);
    return outcome === 'granted';
  });
  await operator.command('write', 'SAVE');
  const running = ask('a', { waitMs: 0 });
  t.equal((await poolOf(second).acquire(rules, running)).outcome, 'granted');
  // As a replica does: told once more when it can be asked.
  const sayAgain = (): Promise<unknown> => poolOf(second).beat(rules, 'second', [running], []);
  second.listen({ onRenewed: () => void sayAgain().catch(() => {}) });

  await server.kill();
  await until(() => first.state === 'away' && second.state === 'away');
  await server.start();
  await until(() => first.state === 'up');
  const outcome = async (): Promise<string> => {
    const answer = await poolOf(first).acquire(rules, ask('b', { waitMs: 0 }));
    return answer.outcome;
  };
  t.equal(await outcome(), 'refused', 'what was written down knows nothing of the lease');
  await until(async () => (await poolOf(first).view(rules)).leases.length === 1);
  await sleep(WARM.warmMs);
  t.equal(await outcome(), 'refused', 'its holder has said it');
  await poolOf(second).release(rules, [running.id]);
  t.equal(await outcome(), 'granted');
});

test('the same if a new replica is the first to ask it', async (t) => {
  const { server, operator, replica } = await setUp(t);
  const old = await replica('', WARM);
  const rules = pool(1);
  await until(async () => (await old.leases('tts').acquire(rules, ask('a', { waitMs: 0 }))).outcome === 'granted');
  const hour = 3_600_000;
  await operator.command('age', 'HSET', keyOf('pool'), 'seen', String(Date.now() - hour));
  await operator.command('lose', 'DEL', ...LEASE_KEYS.filter((name) => name !== 'pool').map(keyOf));
  await operator.command('write', 'SAVE');
  await server.kill();
  await server.start();
  await until(() => operator.state === 'up');
  const newer = await replica('', WARM);
  const { outcome } = await newer.leases('tts').acquire(rules, ask('b', { waitMs: 0 }));
  t.equal(outcome, 'refused', 'what was written down an hour ago knows nothing of the lease');
});

test('a Redis that has forgotten its scripts is told to all once, however many were asking', async (t) => {
  const { operator, replica } = await setUp(t);
  const [first, second] = await Promise.all([replica('', WARM), replica('', WARM)]);
  const leases = first.leases('tts');
  const rules = pool(10);
  await until(async () => (await leases.acquire(rules, ask('a', { waitMs: 0 }))).outcome === 'granted');
  let told = 0;
  second.listen({ onRenewed: () => (told += 1) });
  await operator.command('forget', 'SCRIPT', 'FLUSH');
  await Promise.all(Array.from({ length: 20 }, () => leases.acquire(rules, ask('a'))));
  await until(() => told > 0);
  await sleep(50);
  t.equal(told, 1);
});

test('a Redis that has forgotten its scripts and takes no writes, as before it is promoted, is told to all once it does', async (t) => {
  const { operator, replica } = await setUp(t);
  const [first, second] = await Promise.all([replica('', WARM), replica('', WARM)]);
  const rules = pool(10);
  const outcomeOf = async (store: Store): Promise<string> =>
    (await store.leases('tts').acquire(rules, ask('a', { waitMs: 0 }))).outcome;
  await until(async () => (await outcomeOf(first)) === 'granted');
  t.equal(await outcomeOf(second), 'granted');
  await operator.command('forget', 'SCRIPT', 'FLUSH');
  await operator.command('refuse', 'CONFIG', 'SET', 'min-replicas-to-write', '1');
  for (const store of [first, await replica('', WARM)])
    await t.rejects(outcomeOf(store), { code: 'store_unavailable' });
  await operator.command('take', 'CONFIG', 'SET', 'min-replicas-to-write', '0');
  t.equal(await outcomeOf(second), 'refused');
});

test('a replica whose script Redis has never seen, as that of a new version, holds nobody up', async (t) => {
  const { operator, replica } = await setUp(t);
  const old = await replica('', WARM);
  const rules = pool(10);
  await until(async () => (await old.leases('tts').acquire(rules, ask('a', { waitMs: 0 }))).outcome === 'granted');
  await operator.command('forget', 'SCRIPT', 'FLUSH');
  const newer = await replica('', WARM);
  t.equal((await newer.leases('tts').acquire(rules, ask('a', { waitMs: 0 }))).outcome, 'granted');
});

for (const names of [
  ...LEASE_KEYS.map((name) => [name]),
  ['queue', 'waiters'],
  ['queue', 'waiters', 'line', 'clients'],
])
  test(`a Redis that has made room by throwing away "${names.join()}" is as good as emptied: nobody is kept out for ever`, async (t) => {
    const { operator, replica } = await setUp(t);
    const leases = (await replica()).leases('tts');
    const rules = pool(3);
    const [running, other, waiting, late] = [ask('a'), ask('b'), ask('a'), ask('a')];
    for (const one of [running, other, ask('b'), waiting, ask('b')]) await leases.acquire(rules, one);
    await operator.command('evict', 'DEL', ...names.map(keyOf));
    await leases.beat(rules, 'replica', [running, other], [waiting.id]);
    await leases.acquire(rules, late);
    await leases.release(rules, [waiting.id, late.id]);
    await leases.release(rules, [running.id, other.id]);
    for (const { id } of (await leases.view(rules)).leases) await leases.release(rules, [id]); // what was not lost
    const left = await leases.view(rules);
    t.strictSame([left.leases, left.waiting], [[], 0]);
    const asks = [1, 2, 3].map(() => ask('a', { clientMax: 3, waitMs: 0 }));
    const outcomes = [];
    for (const one of asks) outcomes.push((await leases.acquire(rules, one)).outcome);
    t.strictSame(outcomes, ['granted', 'granted', 'granted']);
    const ids = asks.map(({ id }) => id);
    await leases.release(rules, ids);
    t.equal(String(await operator.command('look', 'KEYS', keyOf('*'))), keyOf('pool'), 'nothing is left');
  });

test('replicas that are killed a moment after they began leave nothing behind for ever', async (t) => {
  const { operator, replica } = await setUp(t);
  const leases = (await replica()).leases('tts');
  const rules = pool(1);
  const lives = async (): Promise<Record<string, boolean>> => {
    const keys = String(await operator.command('look', 'KEYS', '*'))
      .split(',')
      .sort();
    const ends = keys.map(async (key) => [key, Number(await operator.command('look', 'PTTL', key)) > 0] as const);
    return Object.fromEntries(await Promise.all(ends));
  };
  await leases.view(rules);
  await until(async () => `${PREFIX}:{replicas}` in (await lives()));
  for (const names of [
    ['counts', 'holders', 'leases'],
    ['clients', 'line', 'queue', 'turns', 'waiters'],
  ]) {
    await leases.acquire(rules, ask(names.length === 3 ? 'a' : 'b'));
    const found = await lives();
    t.strictSame(
      Object.values(found).filter((ends) => !ends),
      [],
      JSON.stringify(found),
    );
    for (const name of names) t.ok(found[keyOf(name)], name);
  }
});

test('a lease that is given to whoever waited has an end, too, if all replicas are killed then', async (t) => {
  const { operator, replica } = await setUp(t);
  const leases = (await replica()).leases('tts');
  const rules = pool(1);
  const [running, waiting] = [ask('a'), ask('b')];
  for (const one of [running, waiting]) await leases.acquire(rules, one);
  await leases.release(rules, [running.id]);
  t.match(await leases.view(rules), { leases: [{ id: waiting.id }] });
  for (const name of ['leases', 'holders', 'counts'])
    t.ok(Number(await operator.command('look', 'PTTL', keyOf(name))) > 0, name);
});

test('a user without channel permissions can still release, wait and revoke', async (t) => {
  const { operator, replica } = await setUp(t);
  await operator.command('acl', 'ACL', 'SETUSER', 'deaf', 'on', '>pw', '~*', 'resetchannels', '+@all');
  const store = await replica('deaf:pw@');
  const leases = store.leases('tts');
  const rules = pool(1);
  const [first, second] = [ask('a'), ask('b')];
  await leases.acquire(rules, first);
  t.equal((await leases.acquire(rules, second)).outcome, 'queued');
  await leases.release(rules, [first.id]);
  t.strictSame((await leases.beat(rules, 'replica', [], [second.id])).granted, [second.id]);
  await store.revocations.add({ scope: 'everything' });
  t.equal(await store.revocations.version(), '1');
});

test('a pool is viewed a few hundred leases at a time, so that no other call waits for one long reply', async (t) => {
  const { operator, replica } = await setUp(t);
  const leases = (await replica()).leases('tts');
  const rules = pool(2_000);
  const held = Array.from({ length: 1_500 }, (_, at) => ({ id: `lease-${at}`, client: 'web', subject: `user-${at}` }));
  await leases.beat(rules, 'replica', held, []);
  await operator.command('reset', 'CONFIG', 'RESETSTAT');
  const view = await leases.view(rules);
  t.strictSame(view.leases.map(({ id }) => id).sort(), held.map(({ id }) => id).sort());
  t.match(view, { waiting: 0, loweredTo: null });
  t.match(await operator.command('count', 'INFO', 'commandstats'), /cmdstat_hscan:calls=[2-9],/);
});
