// Requests as identity sees them. Some are made by Node's own parser, because its treatment of repeated fields matters.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { RequestFacts } from '../../src/identity/chain.ts';

/** Request facts with these header fields, without a parser: lower-case names, each once. */
export function factsOf(headers: Record<string, string>, rest: Partial<RequestFacts> = {}): RequestFacts {
  return {
    headers,
    rawHeaders: Object.entries(headers).flat(),
    query: '',
    isUpgrade: false,
    connection: null,
    ...rest,
  };
}

/** Sends raw header lines (latin1) and returns what Node parsed. @throws if Node refuses the request itself */
export async function parsedByNode(lines: readonly string[]): Promise<RequestFacts> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    socket.write(Buffer.from(['GET / HTTP/1.1', 'Host: broker', ...lines, '', ''].join('\r\n'), 'latin1'));
    const [request] = await Promise.race([
      once(server, 'request'),
      once(server, 'clientError').then(([error]) => Promise.reject(error)),
    ]);
    return { headers: request.headers, rawHeaders: request.rawHeaders, query: '', isUpgrade: false, connection: null };
  } finally {
    socket.destroy();
    server.close();
  }
}
