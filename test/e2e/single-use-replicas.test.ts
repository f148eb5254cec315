// One single-use token, used at two replicas at the same moment: Redis decides which of them gets it.
import { randomBytes } from 'node:crypto';
import { test } from 'tap';
import { redisServer } from '../store/redis-server.ts';
import { send } from './carried-broker.ts';
import { openRawSocket } from './raw-socket.ts';
import { startSocketBroker } from './socket-broker.ts';

test('of simultaneous upgrades with one single-use token at two replicas, exactly one opens', async (t) => {
  const env = {
    REDIS_URL: (await redisServer(t)).url.reveal(),
    TOKEN_SIGNING_SECRET: randomBytes(32).toString('base64url'),
  };
  const replicas = await Promise.all([startSocketBroker(t, { env }), startSocketBroker(t, { env })]);
  const [{ broker, appKey }] = replicas;
  let opened = 0;
  for (let round = 0; round < 20; round += 1) {
    const json = { grants: { tts: true }, single_use: true };
    const { body } = await send(`${broker.url}/access-token`, { credential: appKey, json });
    const { token } = JSON.parse(body.toString()) as { token: string };
    const path = `/tts/websocket?access_token=${token}`;
    const tries = await Promise.allSettled(
      [0, 1, 0, 1].map(async (at) => {
        const socket = await openRawSocket(t, replicas[at]?.broker.url ?? '', path, {});
        socket.socket.destroy();
      }),
    );
    const refusals = tries.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
    // On a busy machine Redis may not answer in time. Then nobody needs to get in, and still only one may.
    const isUnanswered = refusals.some((refusal) => refusal.includes('"store_unavailable"'));
    if (isUnanswered) t.ok(refusals.length >= 3);
    else t.equal(refusals.filter((refusal) => /HTTP\/1\.1 401 /.test(refusal)).length, 3, 'all but one');
    opened += 4 - refusals.length;
  }
  t.ok(opened >= 10, `${opened} of 20 tokens opened a socket`);
  t.equal(
    replicas.reduce((sum, { simulator }) => sum + simulator.journal.entries({ path: '/tts/websocket' }).length, 0),
    opened,
    'refused upgrades do not reach Cartesia',
  );
});
