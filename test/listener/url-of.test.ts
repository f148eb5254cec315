import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'tap';
import { request } from 'undici';
import { urlOf } from '../../src/listener/url-of.ts';

const HOSTS = { '127.0.0.1': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::1': '[::1]', '::': '[::1]' };

for (const [host, expected] of Object.entries(HOSTS)) {
  test(`a listener on ${host} is reached at ${expected}`, async (t) => {
    const server = createServer((_request, response) => response.end('here')).listen(0, host);
    t.teardown(() => server.close());
    await once(server, 'listening');
    const url = urlOf(server, 'http');
    t.equal(new URL(url).hostname, expected);
    const { body } = await request(url, { reset: true });
    t.equal(await body.text(), 'here');
  });
}
