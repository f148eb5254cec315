// A server that speaks Redis's protocol; the test decides every reply.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

/** Returns the reply to a command, byte for byte, or `null` for none. The command's name is in lower case. */
export type Answering = (command: string, args: readonly string[]) => string | null;

export interface LookAlike {
  readonly url: string;
  /** Applies to commands from now on. */
  answer: Answering;
  /** Number of connections so far. */
  readonly connections: number;
}

/** Redis's reply to a client that introduces itself, subscribes or checks whether Redis is up. */
export function greeting(command: string, args: readonly string[]): string | null {
  switch (command) {
    case 'hello':
      return '%1\r\n$5\r\nproto\r\n:3\r\n';
    case 'info':
      return '$11\r\nloading:0\r\n\r\n';
    case 'ping':
      return '+PONG\r\n';
    case 'subscribe':
      return args.map((name, at) => `>3\r\n$9\r\nsubscribe\r\n$${name.length}\r\n${name}\r\n:${at + 1}\r\n`).join('');
    default:
      return null;
  }
}

export async function lookAlike(t: Test, answer: Answering): Promise<LookAlike> {
  const open = new Set<Socket>();
  const state = { url: '', answer, connections: 0 };
  const server = createServer((socket) => {
    state.connections += 1;
    open.add(socket);
    let rest = '';
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    socket.setEncoding('latin1').on('data', (text: string) => {
      rest += text;
      for (let found = firstCommand(rest); found !== null; found = firstCommand(rest)) {
        const [command = '', ...args] = found.words;
        rest = rest.slice(found.length);
        const said = state.answer(command.toLowerCase(), args);
        if (said !== null && socket.writable) socket.write(said, 'latin1');
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  state.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server has a port
  return state;
}

/**
 * Parses one command, such as `*2\r
 * $3\r
 * GET\r
 * $1\r
 * a\r
 * `; `null` if it is incomplete.
 */
function firstCommand(text: string): { readonly words: readonly string[]; readonly length: number } | null {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return null;
  const words: string[] = [];
  let at = head[0].length;
  for (let left = Number(head[1]); left > 0; left -= 1) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at, at + 16));
    if (size === null) return null;
    const start = at + size[0].length;
    at = start + Number(size[1]) + 2;
    if (text.length < at) return null;
    words.push(text.slice(start, at - 2));
  }
  return { words, length: at };
}
