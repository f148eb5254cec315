// Redis Cluster runs a script only if all its keys are in one slot. Checked against a real server that is a cluster node.
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { test } from 'tap';
import { createRedisStore } from '../../src/store/redis/redis-store.ts';
import { ask, pool } from './lease-ask.ts';
import { redisServer } from './redis-server.ts';

test('every call of the store works in a cluster: its keys are in one slot', async (t) => {
  const server = await redisServer(t, { isCluster: true });
  const operator = new Redis(server.url.reveal());
  t.teardown(() => operator.disconnect());
  await operator.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  while (!String(await operator.call('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  await t.rejects(operator.mset('a', '1', 'b', '2'), /CROSSSLOT/, 'the server refuses keys of different slots');

  const failed: string[] = [];
  const calls = new Set<string>();
  const store = await createRedisStore({
    url: { current: server.url },
    prefix: randomUUID(),
    commandTimeoutMs: 2_000,
    times: { warmMs: 0 },
    onCall: ({ call, outcome }) => {
      if (outcome === 'ok') calls.add(call);
      else if (outcome !== 'not_connected') failed.push(`${call}: ${outcome}`); // a beat may come before the connection
    },
  });
  t.teardown(() => store.close());
  await store.reached;

  const rules = pool(1, { reserved: new Map([['web', 1]]) });
  for (const kind of ['tts', 'stt', 'agent', 'tts_socket'] as const) {
    const leases = store.leases(kind);
    const [first, second] = [ask('web/ann'), ask('web/bob')];
    for (const one of [first, second]) await leases.acquire(rules, one);
    await leases.beat(rules, store.replica, [first], [second.id]);
    await leases.release(rules, [first.id, second.id]);
    await leases.lower(rules);
    await leases.view(rules);
  }
  const lines = (['hour', 'day', 'month'] as const).map((window) => ({
    name: `n-${window}`,
    isOfSubject: window === 'hour',
    window,
    limit: 10,
  }));
  const subject = 'with {braces}';
  for (const shard of ['web', '', 'with {braces} and : colons', '}']) {
    const booked = await store.budgets.book(shard, { id: 'one', lines, subject, amount: 5 });
    await store.budgets.consume(shard, { id: 'two', lines, subject, amount: 1 });
    await store.budgets.withdraw(shard, { id: 'two', lines, subject, amount: 1 });
    if (booked.outcome === 'booked') await store.budgets.settle(shard, randomUUID(), booked.counters, -1);
  }
  await store.rates?.hit('address', 1_000);
  await store.revocations.add({ scope: 'client', client: 'web' });
  await store.revocations.list();
  await store.revocations.version();
  await store.revocations.remove({ scope: 'client', client: 'web' });
  await store.singleUse.use('name', 'one', Date.now() + 1_000);
  await store.singleUse.giveBack('name', 'one');
  const record = { atMs: 1, client: 'web', subject: 'ann', endpoint: '/tts/bytes', requests: 1 };
  await store.usage.add({ ...record, characters: 1, spokenSeconds: 0, audioSeconds: 0, callSeconds: 0 });
  await store.usage.list(10);
  await store.peers.ask('who');
  t.strictSame(failed, []);
  t.strictSame(
    [...calls].sort(),
    [
      ...['budget_book', 'budget_consume', 'budget_settle', 'budget_withdraw'],
      ...['lease_acquire', 'lease_beat', 'lease_lower', 'lease_release', 'lease_view'],
      ...['peer_ask', 'presence', 'rate_hit', 'revocation_change', 'revocation_list', 'revocation_version'],
      ...['single_use', 'single_use_back', 'usage_add', 'usage_list'],
    ],
    'every call known to the metrics',
  );
});
