// Rates that replicas count together.
import { test } from 'tap';
import { redisServer } from '../store/redis-server.ts';
import { send } from './carried-broker.ts';
import { startRunningBroker } from './running-broker.ts';

test('two replicas count as one; while Redis is away, each goes on alone', async (t) => {
  const redis = await redisServer(t);
  const env = { REDIS_URL: redis.url.reveal(), MINT_RATE_PER_IP: '6/hour' };
  const brokers = [await startRunningBroker(t, { env }), await startRunningBroker(t, { env })];
  const statuses: number[] = [];
  const remaining: unknown[] = [];
  for (let i = 0; i < 8; i += 1) {
    const one = brokers[i % 2];
    if (one === undefined) throw new TypeError('there are two');
    const answer = await send(`${one.broker.url}/access-token`, { credential: one.appKey, json: {} });
    // The replicas have different app keys: what is counted is the address, before the credential is checked.
    statuses.push(answer.status);
    remaining.push(answer.headers['ratelimit-remaining']);
  }
  t.strictSame(statuses, [200, 200, 200, 200, 200, 200, 429, 429]);
  t.strictSame(remaining, ['5', '4', '3', '2', '1', '0', '0', '0']);
  await redis.kill();
  const [one] = brokers;
  if (one === undefined) throw new TypeError('there are two');
  const alone = await send(`${one.broker.url}/access-token`, { credential: one.appKey, json: {} });
  t.equal(alone.status, 503, 'not because of the rate: revocations cannot be checked');
  t.ok(Number(alone.headers['ratelimit-limit']) <= 6);
});
