// A web app's own server, on another origin than the broker's.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

/** @param script served as `/speak.js`, which the page loads. @returns its origin */
export async function startPageServer(t: Test, script = ''): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url === '/speak.js') response.setHeader('content-type', 'text/javascript').end(script);
    else response.setHeader('content-type', 'text/html').end('<!doctype html><script src="/speak.js"></script>');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
