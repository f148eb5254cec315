// Which side is held back, and until when.
import type { Socket } from 'node:net';
import { type Test, test } from 'tap';
import { Backpressure } from '../../../src/proxy/websocket/backpressure.ts';
import { ReadBuffer } from '../../../src/proxy/websocket/frames/read-buffer.ts';
import type { UpstreamSocket } from '../../../src/proxy/websocket/upstream-socket.ts';

/** A client that takes its writes when the test says so, and an upstream that records whether it is read. */
function setUp(t: Test, kind: object = {}) {
  const queue: { readonly length: number; readonly told: (() => void) | undefined }[] = [];
  const clock = { nowMs: 1 };
  const client = {
    ...kind,
    isRead: true,
    pause(): void {
      this.isRead = false;
    },
    resume(): void {
      this.isRead = true;
    },
    get writableLength(): number {
      return queue.reduce((sum, { length }) => sum + length, 0);
    },
    write(bytes: Buffer, told?: () => void): void {
      queue.push({ length: bytes.length, told });
    },
  };
  const upstream = {
    received: new ReadBuffer(),
    isRead: true,
    pause(): void {
      this.isRead = false;
    },
    resume(): void {
      this.isRead = true;
    },
  };
  t.teardown(() => upstream.received.release());
  const liveness = { isClientAlive: false };
  const pressure = new Backpressure(client as unknown as Socket, clock, liveness);
  return {
    pressure,
    liveness,
    clock,
    client,
    upstream,
    /** Arrives from upstream and is passed on. */
    pass(bytes: number): void {
      upstream.received.filled(Math.min(bytes, upstream.received.room.length));
      pressure.write(Buffer.alloc(bytes));
      pressure.passed(upstream as unknown as UpstreamSocket, upstream.received.end);
    },
    /** The client takes this many writes. */
    take(writes: number): void {
      for (const { told } of queue.splice(0, writes)) told?.();
    },
  };
}

test('upstream is read again once the client has taken its data, whatever was written after that', async (t) => {
  const { pressure, upstream, pass, take } = setUp(t);
  pass(100);
  t.notOk(upstream.isRead);
  pressure.write(Buffer.from('a ping'));
  t.ok(pressure.isClientFull);
  take(2);
  t.ok(upstream.isRead);
  t.notOk(pressure.isClientFull);
});

test('data that still arrives while upstream is paused must be taken as well', async (t) => {
  const { upstream, pass, take } = setUp(t);
  pass(100);
  pass(100);
  take(2);
  t.notOk(upstream.isRead);
  take(2);
  t.ok(upstream.isRead);
});

test('a client over TLS may be a few reads behind', async (t) => {
  const { upstream, pass, take } = setUp(t, { encrypted: true });
  for (let n = 0; n < 2; n += 1) pass(128 * 1024);
  t.ok(upstream.isRead);
  pass(1);
  t.notOk(upstream.isRead);
  take(20);
  t.ok(upstream.isRead);
});

test('a client that takes what waited for it is alive, even if its answer to a ping is still behind much else', async (t) => {
  const { liveness, pressure, pass, take } = setUp(t);
  pass(100);
  pressure.write(Buffer.from('a ping'));
  t.notOk(liveness.isClientAlive, 'nothing was taken yet');
  take(2);
  t.ok(liveness.isClientAlive);
});

test('a side counts as stalled since it first took nothing, however often that is reported', async (t) => {
  const times = { stallMs: 100, clientStallMs: 400 };
  const up = setUp(t);
  up.pressure.upstreamIsFull();
  t.notOk(up.client.isRead);
  up.clock.nowMs = 50;
  up.pressure.upstreamIsFull();
  t.equal(up.pressure.stalled(101, times), null);
  t.equal(up.pressure.stalled(102, times), 'upstream');
  up.pressure.upstreamDrained();
  t.ok(up.client.isRead);
  t.notOk(up.pressure.isUpstreamFull);
  t.equal(up.pressure.stalled(1000, times), null);
  up.client.isRead = false;
  up.pressure.upstreamDrained();
  t.notOk(up.client.isRead, 'something else may hold it');

  const down = setUp(t);
  down.pass(100);
  down.clock.nowMs = 50;
  down.pass(100);
  t.equal(down.pressure.stalled(401, times), null);
  t.equal(down.pressure.stalled(402, times), 'client');
  down.take(4);
  t.equal(down.pressure.stalled(1000, times), null);
});

test('a client held for a turn is read again once that is over and upstream takes data', async (t) => {
  const { pressure, client } = setUp(t);
  pressure.holdClient();
  t.notOk(client.isRead);
  pressure.upstreamIsFull();
  pressure.letClient();
  t.notOk(client.isRead, 'upstream is full');
  pressure.upstreamDrained();
  t.ok(client.isRead);

  pressure.upstreamIsFull();
  pressure.holdClient();
  pressure.upstreamDrained();
  pressure.readClient();
  t.notOk(client.isRead, 'its turn has not come');
  pressure.letClient();
  t.ok(client.isRead);

  pressure.upstreamIsFull();
  pressure.holdClient();
  pressure.upstreamIsOver();
  t.notOk(client.isRead);
  pressure.letClient();
  t.ok(client.isRead, 'nothing waits for an upstream that is over');
});
