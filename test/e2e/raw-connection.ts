// One connection as bytes: sends what a well-behaved HTTP client never would, and shows exactly what came back.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface RawResponse {
  readonly status: number;
  readonly reason: string;
  /** Lower-case names; a repeated name is an error. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly json: Record<string, unknown>;
}

export interface RawConnection {
  readonly socket: Socket;
  /** Text is Latin-1: one character, one byte. */
  send(bytes: string | Uint8Array): void;
  /** The next response, even an interim one (1xx). @throws if the connection ends or two seconds pass before it is complete */
  response(options?: { readonly isHead?: boolean; readonly withinMs?: number }): Promise<RawResponse>;
  /** Resolves with the milliseconds since now until the broker has ended the connection. @throws after two seconds */
  ended(withinMs?: number): Promise<number>;
  /** What has arrived and was not taken as a response. */
  rest(): string;
}

/** @param socket a connection of another kind (TLS, another source address); default: a plain one to `url` */
export async function openRaw(t: Test, url: string, socket?: Socket): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const connection = socket ?? connect({ host: hostname.replace(/[[\]]/g, ''), port: Number(port), noDelay: true });
  t.teardown(() => connection.destroy());
  let received = '';
  let hasEnded = false;
  let broken: Error | null = null;
  const wakers = new Set<() => void>();
  const wake = (): void => {
    for (const waker of wakers) waker();
  };
  connection.setEncoding('latin1');
  connection.on('data', (chunk: string) => {
    received += chunk;
    wake();
  });
  connection.on('end', () => {
    hasEnded = true;
    wake();
  });
  connection.on('close', () => {
    hasEnded = true;
    wake();
  });
  connection.on('error', (error) => {
    broken = error;
    wake();
  });
  if (connection.connecting) await once(connection, 'connect');

  async function until<T>(take: () => T | null, withinMs: number, what: string): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const look = (): void => {
      const taken = take();
      if (taken !== null) resolve(taken);
      else if (hasEnded)
        reject(new Error(`ended before ${what}; received: ${received || broken?.message || 'nothing'}`));
    };
    const timer = setTimeout(
      () => reject(new Error(`no ${what} within ${withinMs} ms; received: ${received || 'nothing'}`)),
      withinMs,
    );
    wakers.add(look);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      wakers.delete(look);
    });
  }

  return {
    socket: connection,
    send: (bytes) => void connection.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    response: ({ isHead = false, withinMs = 2000 } = {}) =>
      until(
        () => {
          const taken = takeResponse(received, isHead);
          if (taken === null) return null;
          received = received.slice(taken.length);
          return taken.response;
        },
        withinMs,
        'a response',
      ),
    async ended(withinMs = 2000) {
      const start = performance.now();
      await until(() => (hasEnded ? true : null), withinMs, 'the end of the connection');
      return performance.now() - start;
    },
    rest: () => received,
  };
}

const HEAD = /^HTTP\/1\.1 (\d{3}) ([^\r\n]*)\r\n((?:[!#-'*+\-.^-z|~\w]+: [^\r\n]*\r\n)*)\r\n/;

/** @throws if what has arrived is not strictly an HTTP/1.1 response */
function takeResponse(received: string, isHead: boolean): { response: RawResponse; length: number } | null {
  if (!received.includes('\r\n\r\n')) return null;
  const match = HEAD.exec(received);
  if (match === null) throw new Error(`not a response: ${received}`);
  const [head = '', status = '', reason = '', fields = ''] = match;
  const headers: Record<string, string> = {};
  for (const line of fields.split('\r\n').slice(0, -1)) {
    const colon = line.indexOf(': ');
    const name = line.slice(0, colon).toLowerCase();
    if (Object.hasOwn(headers, name)) throw new Error(`header ${name} stands twice: ${head}`);
    headers[name] = line.slice(colon + 2);
  }
  const hasBody = !isHead && Number(status) >= 200 && status !== '204' && status !== '304';
  if (hasBody && headers['content-length'] === undefined) throw new Error(`no length: ${head}`);
  const length = hasBody ? Number(headers['content-length']) : 0;
  if (received.length < head.length + length) return null;
  const body = received.slice(head.length, head.length + length);
  const json = headers['content-type']?.startsWith('application/json') && body !== '' ? JSON.parse(body) : {};
  return { response: { status: Number(status), reason, headers, body, json }, length: head.length + length };
}
