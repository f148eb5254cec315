// The handshake with the client: checks its opening request, and makes the response that accepts it.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Problem } from '../../../errors/problems.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** The only version there is. */
export const SPOKEN_VERSION = { 'sec-websocket-version': '13' } as const;
/** Sixteen bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/**
 * @returns the value for Sec-WebSocket-Accept
 * @throws Problem `invalid_request`
 * @see RFC 6455 §4.2.1
 */
export function checkHandshake(
  request: Pick<IncomingMessage, 'headers' | 'httpVersion' | 'method' | 'rawHeaders'>,
): string {
  const { headers, httpVersion, method } = request;
  if (method !== 'GET' || httpVersion !== '1.1' || headers.upgrade?.toLowerCase() !== 'websocket') throw invalid();
  if (!speaksOurVersion(headers)) throw new Problem('invalid_request', 'Sec-WebSocket-Version must be 13.');
  const key = headers['sec-websocket-key'];
  if (key === undefined || !KEY.test(key)) {
    throw new Problem('invalid_request', 'Sec-WebSocket-Key must be sixteen bytes in base64, once.');
  }
  return acceptOf(key);
}

export function speaksOurVersion(headers: IncomingMessage['headers']): boolean {
  return headers['sec-websocket-version'] === SPOKEN_VERSION['sec-websocket-version'];
}

export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** Declines the extensions and subprotocols that a client offers, by not mentioning them (§4.2.2, §9.1). */
export function acceptance(accept: string, requestId: string, upstreamRequestId: string | null): string {
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\nx-request-id: ${requestId}\r\n` +
    `${upstreamRequestId === null ? '' : `cartesia-request-id: ${upstreamRequestId}\r\n`}\r\n`
  );
}

function invalid(): Problem {
  return new Problem('invalid_request', 'This path is a WebSocket: open it with GET, HTTP/1.1 and Upgrade: websocket.');
}
