// A response of a real server, and what its client receives.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { send } from '../e2e/carried-broker.ts';

export interface RealResponse {
  readonly response: ServerResponse;
  /** What the client receives. */
  readonly answer: ReturnType<typeof send>;
}

/** Nothing has been written to the response yet. */
export async function realResponse(t: Test): Promise<RealResponse> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const arrived = once(server, 'request');
  const answer = send(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const [, response] = (await arrived) as [unknown, ServerResponse];
  return { response, answer };
}
