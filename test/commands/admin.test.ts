import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Test, test } from 'tap';
import { runAdmin } from '../../src/commands/admin.ts';
import { capturedIo } from './captured-io.ts';

async function askedOf(t: Test, answer: RequestListener): Promise<{ code: number; stderr: string }> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const io = capturedIo({ ADMIN_TOKEN: 'an-admin-token-of-32-characters!' });
  const code = await runAdmin(['usage', '--url', `http://127.0.0.1:${port}`], io, 100);
  return { code, stderr: io.written.stderr };
}

test('a broker that does not answer in time is told from one that is not there', async (t) => {
  const late = { code: 1, stderr: 'no answer within 100 ms\n' };
  t.strictSame(await askedOf(t, () => {}), late);
  t.strictSame(await askedOf(t, (_request, response) => response.writeHead(200).write('{')), late, 'nor in full');
  t.strictSame(await askedOf(t, (request) => request.socket.destroy()), {
    code: 1,
    stderr: 'not reached: ECONNRESET\n',
  });
});
