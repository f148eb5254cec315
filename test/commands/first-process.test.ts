// Signals to the first process of a container, before and after somebody listens for them.
import { EventEmitter } from 'node:events';
import { test } from 'tap';
import { endOnEarlySignals } from '../../src/commands/first-process.ts';

function processOf(pid: number) {
  const codes: number[] = [];
  const own = Object.assign(new EventEmitter(), { pid, exit: (code: number) => void codes.push(code) });
  endOnEarlySignals(own);
  return { own, codes };
}

test('the first process exits on a signal that nobody listens for', async (t) => {
  const { own, codes } = processOf(1);
  own.emit('SIGTERM');
  own.emit('SIGINT');
  t.strictSame(codes, [143, 130]);
});

test('it leaves a signal to any listener, even a one-time one, and takes over again afterwards', async (t) => {
  const { own, codes } = processOf(1);
  let heard = 0;
  own.once('SIGTERM', () => {
    heard += 1;
  });
  own.emit('SIGTERM');
  t.strictSame([heard, codes], [1, []]);
  own.emit('SIGTERM');
  t.strictSame([heard, codes], [1, [143]]);
});

test("any other process is left to the system's defaults", async (t) => {
  t.strictSame(processOf(2).own.eventNames(), []);
});
