// When many requests arrive at once, they wait for their turn, but not for long.
import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { type AddressInfo, Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { type Arrival, BEGUN_MAX, Intake, WAIT_MAX_MS } from '../../src/listener/intake.ts';
import { createServer } from '../../src/listener/server.ts';
import { openRaw } from '../e2e/raw-connection.ts';

function stage() {
  const clock = { now: 5_000 };
  const begun: Arrival[] = [];
  const refused: Arrival[] = [];
  const intake = new Intake({
    begin: (arrival) => void begun.push(arrival),
    refuse: (arrival) => void refused.push(arrival),
    now: () => clock.now,
  });
  const arrive = (count: number): Arrival[] =>
    Array.from({ length: count }, () => {
      const request = new IncomingMessage(new Socket());
      const arrival = { request, response: new ServerResponse(request) };
      intake.take(arrival);
      return arrival;
    });
  const requests = (arrivals: readonly Arrival[]) => arrivals.map(({ request }) => request);
  return { clock, begun, refused, intake, arrive, requests };
}

test('a limited number of requests begin in the turn they arrive; the rest begin in later turns, in order', async (t) => {
  const { begun, refused, arrive, requests } = stage();
  const first = arrive(BEGUN_MAX);
  t.equal(begun.length, BEGUN_MAX, 'at once');
  const rest = arrive(2 * BEGUN_MAX + 1);
  t.equal(begun.length, BEGUN_MAX);
  await turn();
  t.equal(begun.length, 2 * BEGUN_MAX);
  const last = arrive(1);
  t.equal(begun.length, 2 * BEGUN_MAX, 'behind those already waiting');
  await turn();
  await turn();
  const all = [...first, ...rest, ...last];
  t.equal(begun.length, all.length);
  t.ok(requests(begun).every((request, at) => request === all[at]?.request));
  await turn();
  arrive(BEGUN_MAX);
  t.equal(begun.length, all.length + BEGUN_MAX, 'nobody waits any more');
  t.equal(refused.length, 0);
});

test('once the first has waited too long, new requests are refused at once, and those waiting still begin', async (t) => {
  const { clock, begun, refused, arrive } = stage();
  arrive(BEGUN_MAX + 1);
  clock.now += WAIT_MAX_MS;
  arrive(1);
  t.equal(refused.length, 0, 'not yet');
  clock.now += 1;
  arrive(3);
  t.equal(refused.length, 3);
  await turn();
  t.equal(begun.length, BEGUN_MAX + 2);
  arrive(1);
  t.equal(begun.length, BEGUN_MAX + 3);
});

test('a request that left, or was answered meanwhile, does not begin and takes nobody’s turn', async (t) => {
  const { begun, intake, arrive, requests } = stage();
  arrive(BEGUN_MAX);
  const [left, answered, ...others] = arrive(BEGUN_MAX + 2);
  left?.request.socket.destroy();
  t.equal(intake.withdraw(answered?.request ?? new IncomingMessage(new Socket())), true);
  t.equal(intake.withdraw(new IncomingMessage(new Socket())), false, 'unknown here');
  await turn();
  t.strictSame(requests(begun).slice(BEGUN_MAX).length, others.length);
  t.ok(
    requests(begun)
      .slice(BEGUN_MAX)
      .every((request, at) => request === others[at]?.request),
  );
  t.equal(intake.withdraw(others[0]?.request ?? new IncomingMessage(new Socket())), false, 'already begun');
});

test('a request that breaks off before its turn is refused and never begins', async (t) => {
  const begun: (string | undefined)[] = [];
  const refused: string[] = [];
  const server = createServer(
    ({ url }, response) => {
      begun.push(url);
      response.end();
    },
    { tls: null, onRefused: ({ code }) => void refused.push(code) },
  );
  let accepted = 0;
  server.on('connection', () => {
    accepted += 1;
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connections = await Promise.all(Array.from({ length: BEGUN_MAX + 1 }, () => openRaw(t, url)));
  while (accepted < connections.length) await turn();
  const last = connections.pop();
  for (const connection of connections) connection.send('GET /before HTTP/1.1\r\nHost: a\r\n\r\n');
  last?.send('POST /last HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n');
  t.equal((await last?.response())?.status, 400);
  for (const connection of connections) {
    t.equal((await connection.response()).status, 200);
    connection.socket.destroy();
  }
  await turn();
  t.strictSame(refused, ['invalid_request']);
  t.notOk(begun.includes('/last'));
});
