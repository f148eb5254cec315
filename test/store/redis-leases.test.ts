// Leases in Redis under events that the memory store cannot have.
import { type Test, test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { createRedisLink, type RedisLink } from '../../src/store/redis/redis-link.ts';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import type { Store } from '../../src/store/store.ts';
import { until } from '../e2e/limits-answers.ts';
import { ask, pool } from './lease-ask.ts';
import { redisServer } from './redis-server.ts';

const PREFIX = 'broker';
const keyOf = (name: string): string => `${PREFIX}:{account}:tts:${name}`;

interface Parts {
  /** Does to Redis what an operator may do. */
  readonly operator: RedisLink;
  /** Opens one more replica. */
  readonly replica: (user?: string) => Promise<Store>;
}

async function setUp(t: Test): Promise<Parts> {
  const server = await redisServer(t);
  const operator = await createRedisLink({ url: { current: server.url } });
  t.teardown(() => operator.close());
  await operator.reached;
  return {
    operator,
    async replica(user = '') {
      const store = await createRedisStore({
        url: { current: new Secret(`redis://${user}127.0.0.1:${server.port}`) },
        prefix: PREFIX,
        commandTimeoutMs: 2_000, // not a test of speed: the machine may be busy
        times: { warmMs: 0 },
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

  t.equal((await leases.acquire(rules, ask('c', { waitMs: 0 }))).outcome, 'refused', 'its holder may be alive');
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
