// Signals of a process that is the first of its container, before and after something listens.
import { EventEmitter } from 'node:events';
import { test } from 'tap';
import { endOnEarlySignals } from '../../src/commands/first-process.ts';

function processOf(pid: number) {
  const codes: number[] = [];
  const own = Object.assign(new EventEmitter(), { pid, exit: (code: number) => void codes.push(code) });
  endOnEarlySignals(own);
  return { own, codes };
}

test('the first process is ended by a signal that nobody else hears', async (t) => {
  const { own, codes } = processOf(1);
  own.emit('SIGTERM');
  own.emit('SIGINT');
  t.strictSame(codes, [143, 130]);
});

test('it gives way to whoever listens, also once, and takes over again', async (t) => {
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

test('any other process is ended by the system', async (t) => {
  t.strictSame(processOf(2).own.eventNames(), []);
});
