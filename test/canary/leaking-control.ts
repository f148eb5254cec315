// Run by output-watch.test.ts: a test that leaks its app key on purpose, to the output named by its argument.
import { test } from 'tap';
import { request } from 'undici';
import { startRunningBroker } from '../e2e/running-broker.ts';

const [, , where] = process.argv;

test('leaks', async (t) => {
  const { broker, appKey, watch } = await startRunningBroker(t);
  if (where === 'log') watch.record('log', `key ${appKey}`);
  const answer = await request(`${broker.url}/livez`);
  await answer.body.dump();
  if (where === 'answers') watch.recordAnswer('answers', Buffer.from(`x: ${appKey}`));
  t.equal(answer.statusCode, 200);
});
