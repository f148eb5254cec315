// Records every byte that servers of this process write to their clients on given ports, including what Node or a library writes itself.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Published by Node for every accepted TCP connection, and for every request. @see https://nodejs.org/api/diagnostics_channel.html */
const CHANNELS = ['net.server.socket', 'http.server.request.start'];

/**
 * @param ports ports to listen in on; more may be added later
 * @param record called with each write, unencrypted even if the connection is TLS
 * @returns a function that stops the recording
 */
export function captureAnswers(ports: ReadonlySet<number>, record: (bytes: Uint8Array) => void): () => void {
  const seen = new WeakSet<Socket>();
  const onSocket = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket }; // both channels publish an object with the socket
    if (socket.localPort === undefined || !ports.has(socket.localPort) || seen.has(socket)) return;
    seen.add(socket);
    tap(socket, record);
  };
  for (const name of CHANNELS) subscribe(name, onSocket);
  return () => {
    for (const name of CHANNELS) unsubscribe(name, onSocket);
  };
}

function tap(socket: Socket, record: (bytes: Uint8Array) => void): void {
  for (const method of ['write', 'end'] as const) {
    const original = socket[method].bind(socket) as (...args: unknown[]) => never;
    const tapped = (...args: unknown[]): never => {
      const [chunk, encoding] = args;
      // Encrypted bytes do not pass here: the TLS socket writes through the handle.
      if (typeof chunk === 'string') record(Buffer.from(chunk, textEncoding(encoding)));
      else if (chunk instanceof Uint8Array) record(chunk);
      return original(...args);
    };
    Object.assign(socket, { [method]: tapped });
  }
}

function textEncoding(encoding: unknown): BufferEncoding {
  return typeof encoding === 'string' && Buffer.isEncoding(encoding) ? encoding : 'utf8';
}
