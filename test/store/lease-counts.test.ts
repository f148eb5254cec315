import { test } from 'tap';
import { LeaseCounts } from '../../src/store/lease-counts.ts';

test('counts of subjects with a lease or a queued request are kept, however many others pass by', async (t) => {
  const counts = new LeaseCounts();
  const holding = counts.of({ client: 'web', subject: 'holding' });
  const waiting = counts.of({ client: 'web', subject: 'waiting' });
  const idle = counts.of({ client: 'web', subject: 'idle' });
  holding.subject.held += 1;
  waiting.subject.queued += 1;
  for (let i = 0; i < 10_000; i += 1) counts.of({ client: 'web', subject: `passing-${i}` });
  t.equal(counts.of({ client: 'web', subject: 'holding' }).subject, holding.subject);
  t.equal(counts.of({ client: 'web', subject: 'waiting' }).subject, waiting.subject);
  t.not(counts.of({ client: 'web', subject: 'idle' }).subject, idle.subject, 'a subject with nothing is forgotten');
  t.equal(counts.of({ client: 'web', subject: 'idle' }).client, holding.client);
});

test('the same subject in two client apps is counted separately', async (t) => {
  const counts = new LeaseCounts();
  counts.of({ client: 'web', subject: 'ann' }).client.held += 1;
  t.equal(counts.heldBy('web'), 1);
  t.equal(counts.heldBy('ios'), 0);
  t.not(counts.of({ client: 'web', subject: 'ann' }).subject, counts.of({ client: 'ios', subject: 'ann' }).subject);
});
