import { test } from 'tap';
import { UnreadAnswers } from '../../../src/proxy/websocket/unread-answers.ts';

/** @returns how many frames of that length may wait */
function most(frameBytes: number): number {
  const answers = new UnreadAnswers();
  const frame = Buffer.alloc(frameBytes);
  let count = 0;
  while (!answers.add(frame, count === 0)) count += 1;
  return count;
}

test('waiting answers are bounded by their bytes, and by their number if they have hardly any', async (t) => {
  t.ok(most(131) < 4000);
  t.ok(most(2) < 16_384, 'each is a separate object');
  t.ok(most(2) > 65_536 / 6, 'as many as the pings that one read may bring are allowed');
});

test('answers that were sent no longer count', async (t) => {
  const answers = new UnreadAnswers();
  const frame = Buffer.alloc(300 * 1024);
  t.equal(answers.add(frame, true), false);
  t.equal(answers.add(frame, true), false);
  t.equal(answers.add(frame, false), true);
});
