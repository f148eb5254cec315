import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { test } from 'tap';
import { boundConnections, connectionsMax, openFilesMax } from '../../src/listener/connections.ts';

test('clients may use what the broker does not need, or half of it if each may need a connection to Cartesia', async (t) => {
  const table = [
    // open files, minting, carrying
    [65_536, 65_440, 32_720],
    [1_024, 928, 464],
    [200, 104, 52],
    [64, 16, 16],
  ] as const;
  for (const [openFiles, minting, carrying] of table) {
    t.equal(connectionsMax(openFiles, { mintConnections: 32, isCarrying: false }), minting, `${openFiles}`);
    t.equal(connectionsMax(openFiles, { mintConnections: 32, isCarrying: true }), carrying, `${openFiles}, carrying`);
  }
  t.equal(connectionsMax(null, { mintConnections: 32, isCarrying: true }), null, 'without a limit there is none');
});

test('the limit on open files is the one the system reports', async (t) => {
  const { userLimits } = process.report.getReport() as { userLimits: { open_files: { soft: number | 'unlimited' } } };
  const { soft } = userLimits.open_files;
  t.equal(openFilesMax(), process.platform === 'linux' && soft !== 'unlimited' ? soft : null);
});

test('a connection over the limit is closed at once and reported; a freed place is given again', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).resume()).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const told: number[] = [];
  boundConnections(server, 2, (max) => told.push(max));
  const open = () => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {});
    t.teardown(() => socket.destroy());
    return socket.resume();
  };
  const first = open();
  const [served] = (await once(server, 'connection')) as [Socket];
  open();
  await once(server, 'connection');
  await once(open(), 'close');
  t.strictSame(told, [2]);
  first.destroy();
  await once(served, 'close');
  open();
  await once(server, 'connection');
  t.strictSame(told, [2]);
});
