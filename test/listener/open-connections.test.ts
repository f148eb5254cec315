import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Test, test } from 'tap';
import { cutConnections, listConnections } from '../../src/listener/open-connections.ts';

/** A server, and a client that is connected to it. */
async function setUp(t: Test) {
  const server = createServer((socket) => socket.resume());
  listConnections(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo; // a TCP server has one
  const open = async (): Promise<Socket> => {
    const arrived = once(server, 'connection');
    const socket = connect(port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    await arrived;
    return socket.resume();
  };
  return { server, open };
}

test('all open connections are cut', async (t) => {
  const { server, open } = await setUp(t);
  const sockets = [await open(), await open(), await open()];
  const closed = sockets.map((socket) => once(socket, 'close'));
  cutConnections(server);
  await Promise.all(closed);
  t.equal(await promisify(server.getConnections.bind(server))(), 0);
});

test('a connection that has closed is not kept in memory', async (t) => {
  const { server, open } = await setUp(t);
  const seen: WeakRef<Socket>[] = [];
  let closed = 0;
  server.on('connection', (socket: Socket) => {
    seen.push(new WeakRef(socket));
    socket.on('close', () => {
      closed += 1;
    });
  });
  for (let connections = 0; connections < 5; connections += 1) (await open()).end();
  while (closed < 5) await turn();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let turns = 0; turns < 5; turns += 1) {
    await turn();
    collect();
  }
  const kept = seen.filter((socket) => socket.deref() !== undefined).length;
  t.ok(kept <= 1, `${kept} of five are kept`); // this test may still refer to the last one
});
