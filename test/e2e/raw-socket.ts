// A WebSocket as bytes: sends frames that no client library would, and shows exactly the frames that came back.
import { connect, type Socket } from 'node:net';
import type { Test } from 'tap';

export interface RawFrame {
  readonly isFinal: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
}

export interface FrameOptions {
  readonly isFinal?: boolean;
  readonly isMasked?: boolean;
  readonly reserved?: number;
  /** Length given in the header instead of the payload's own. */
  readonly length?: number;
  /** Bytes that encode the length, even if fewer would do: 2 or 8. */
  readonly lengthBytes?: 2 | 8;
}

export interface RawSocket {
  readonly socket: Socket;
  /** Head of the response to the handshake, in lower case. */
  readonly head: string;
  send(...bytes: readonly (Buffer | string)[]): void;
  /** The next frame. Rejects if the connection ends, or two seconds pass, before it is complete. */
  frame(withinMs?: number): Promise<RawFrame>;
  /** Skips other frames. @returns code and reason of the close frame; code `null` if it has none */
  closing(): Promise<{ readonly code: number | null; readonly reason: string }>;
  /** JSON of the next text frame; pings and pongs are skipped. */
  event(withinMs?: number): Promise<Readonly<Record<string, unknown>>>;
  ended(): Promise<void>;
}

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** One frame as a client sends it. */
export function frameOf(opcode: number, payload: Buffer | string = '', options: FrameOptions = {}): Buffer {
  const { isFinal = true, isMasked = true, reserved = 0 } = options;
  const data = Buffer.from(payload);
  const length = options.length ?? data.length;
  const lengthBytes = options.lengthBytes ?? (length < 126 ? 0 : length < 65_536 ? 2 : 8);
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (!isMasked) return Buffer.concat([head, data]);
  return Buffer.concat([head, MASK, data.map((byte, at) => byte ^ (MASK[at % 4] ?? 0))]);
}

export function closeFrameOf(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return frameOf(8, payload);
}

export function handshake(url: string, path: string, headers: Readonly<Record<string, string>>): string {
  const fields = {
    Host: new URL(url).host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
    ...headers,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** @param early sent right after the handshake */
export async function openRawSocket(
  t: Test,
  url: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  early: Buffer = Buffer.alloc(0),
): Promise<RawSocket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), noDelay: true });
  t.teardown(() => socket.destroy());
  let received: Buffer = Buffer.alloc(0);
  let arrived: Buffer[] = [];
  let hasEnded = false;
  const wakers = new Set<() => void>();
  const wake = (): void => {
    for (const waker of [...wakers]) waker();
  };
  socket.on('data', (chunk: Buffer) => {
    arrived.push(chunk);
    if (wakers.size > 0) wake();
  });
  for (const event of ['end', 'close', 'error'])
    socket.on(event, () => {
      hasEnded = true;
      wake();
    });
  socket.write(Buffer.concat([Buffer.from(handshake(url, path, headers), 'latin1'), early]));

  function until<T>(take: () => T | null, what: string, withinMs = 2000): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const look = (): void => {
      const taken = take();
      if (taken !== null) {
        wakers.delete(look); // at once: several pieces may come before the promise settles
        resolve(taken);
      } else if (hasEnded)
        reject(new Error(`ended before ${what}; left: ${received.toString('latin1').slice(0, 300)}`));
    };
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${withinMs} ms`)), withinMs);
    wakers.add(look);
    look();
    return promise.finally(() => {
      clearTimeout(timer);
      wakers.delete(look);
    });
  }

  /** Joins the pieces only when they are read, not as each one arrives. */
  function gather(): void {
    if (arrived.length === 0) return;
    received = Buffer.concat([received, ...arrived]);
    arrived = [];
  }

  function takeFrame(): RawFrame | null {
    gather();
    const taken = readFrame(received);
    if (taken === null) return null;
    received = received.subarray(taken.bytes);
    return taken.frame;
  }

  const head = await until(
    () => {
      gather();
      const end = received.indexOf('\r\n\r\n');
      if (end === -1) return null;
      const text = received.toString('latin1', 0, end);
      received = received.subarray(end + 4);
      return text;
    },
    'the answer to the handshake',
    10_000,
  );
  if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`refused: ${head}\n${received.toString('utf8')}`);
  const frame = (withinMs?: number): Promise<RawFrame> => until(takeFrame, 'a frame', withinMs);
  return {
    socket,
    head: head.toLowerCase(),
    send: (...bytes) => void socket.write(Buffer.concat(bytes.map((one) => Buffer.from(one)))),
    frame,
    async event(withinMs) {
      let { opcode, payload } = await frame(withinMs);
      while (opcode > 8) ({ opcode, payload } = await frame(withinMs));
      if (opcode !== 1) throw new Error(`opcode ${opcode}, not text: ${payload.toString('latin1')}`);
      return JSON.parse(payload.toString('utf8'));
    },
    async closing() {
      for (;;) {
        const { opcode, payload } = await frame();
        if (opcode !== 8) continue;
        return payload.length === 0
          ? { code: null, reason: '' }
          : { code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
      }
    },
    ended: () => until(() => (hasEnded ? true : null), 'the end', 4000).then(() => {}),
  };
}

/** An unmasked frame at the start of `bytes`, or `null` if it is incomplete. */
export function readFrame(bytes: Buffer): { readonly frame: RawFrame; readonly bytes: number } | null {
  if (bytes.length < 2) return null;
  const [first = 0, second = 0] = bytes;
  if (second > 127) throw new Error('a server masks nothing');
  if ((first & 0x70) !== 0) throw new Error('reserved bits are set');
  const start = second === 126 ? 4 : second === 127 ? 10 : 2;
  if (bytes.length < start) return null;
  const length = second === 126 ? bytes.readUInt16BE(2) : second === 127 ? Number(bytes.readBigUInt64BE(2)) : second;
  if (bytes.length < start + length) return null;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  return { frame: { isFinal: first > 127, opcode: first & 15, payload }, bytes: start + length };
}
