import { test } from 'tap';
import { SlotQueue } from '../../src/upstream/slot-queue.ts';

test('as many jobs run as there are slots; the rest wait in order', async (t) => {
  const queue = new SlotQueue<string>(2, 100);
  t.strictSame(
    ['a', 'b', 'c', 'd', 'e'].map((job) => queue.enter(job, 1_000)),
    ['run', 'run', 'wait', 'wait', 'wait'],
  );
  t.equal(queue.running, 2);
  t.equal(queue.waiting, 3);
  t.strictSame([queue.release(1), queue.release(1), queue.release(1)], ['c', 'd', 'e']);
  t.equal(queue.running, 2, 'a slot that is handed on stays taken');
  t.strictSame([queue.release(1), queue.release(1)], [undefined, undefined]);
  t.equal(queue.running, 0);
});

test('a waiting job can leave the queue', async (t) => {
  const queue = new SlotQueue<string>(1, 100);
  for (const job of ['a', 'b', 'c']) queue.enter(job, 1_000);
  t.equal(queue.forget('b'), true);
  t.equal(queue.forget('b'), false);
  t.equal(queue.forget('a'), false, 'a running job is not in the queue');
  t.equal(queue.release(1), 'c');
});

test('the queue is bounded', async (t) => {
  const queue = new SlotQueue<number>(1, 3);
  t.strictSame(
    [1, 2, 3, 4, 5].map((job) => queue.enter(job, 1_000)),
    ['run', 'wait', 'wait', 'wait', 'full'],
  );
  t.strictSame(queue.clear(), [2, 3, 4]);
  t.equal(queue.waiting, 0);
});

test('jobs that have had their turn no longer count towards the queue length', async (t) => {
  const queue = new SlotQueue<number>(1, 3);
  for (const job of [1, 2, 3, 4]) queue.enter(job, 1_000);
  t.equal(queue.release(1), 2);
  t.equal(queue.waiting, 2);
  t.strictSame([queue.enter(5, 1_000), queue.enter(6, 1_000)], ['wait', 'full']);
  t.strictSame(queue.clear(), [3, 4, 5], 'a job that has had its turn is not returned again');
  t.equal(queue.waiting, 0);
  t.equal(queue.enter(7, 1_000), 'wait');
  t.equal(queue.waiting, 1);
  t.equal(queue.release(1), 7);
});

test('a job that would not be done in time is refused at once', async (t) => {
  const queue = new SlotQueue<number>(2, 100);
  queue.enter(0, 1_000);
  queue.release(400);
  t.strictSame(
    [1, 2, 3, 4, 5].map((job) => queue.enter(job, 1_000)),
    ['run', 'run', 'wait', 'wait', 'full'],
    'a round of 400 ms and the 400 ms of the job itself fit into 1000 ms, two rounds and the job do not',
  );
  t.equal(queue.enter(6, 1_200), 'wait', 'an end at the last moment is in time');
});

test('a slot that was not used does not make jobs look short', async (t) => {
  const queue = new SlotQueue<number>(1, 100);
  queue.enter(0, 1_000);
  queue.release(400);
  for (const job of [1, 2]) queue.enter(job, 1_000);
  t.equal(queue.release(null), 2);
  t.equal(queue.meanHeldMs, 400);
});

test('the estimate follows an upstream that becomes fast again', async (t) => {
  const queue = new SlotQueue<number>(1, 100);
  queue.enter(0, 1_000);
  queue.release(5_000);
  t.equal(queue.enter(1, 1_000), 'run', 'a free slot is never refused');
  t.equal(queue.enter(2, 1_000), 'full');
  for (let i = 0; i < 15; i++) {
    queue.release(10);
    queue.enter(1, 1_000);
  }
  t.equal(queue.enter(2, 1_000), 'wait');
});

test('one slow call shifts the estimate only a little', async (t) => {
  const queue = new SlotQueue<number>(1, 100);
  for (const heldMs of [100, 1_000]) {
    queue.enter(0, 1_000);
    queue.release(heldMs);
  }
  queue.enter(1, 1_000);
  t.equal(queue.enter(2, 550), 'full', 'it counts');
  t.equal(queue.enter(2, 570), 'wait', 'by a fifth');
});
