// Runs both transports on random responses: what ours accepts, undici must accept too and read alike.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { type Test, test } from 'tap';
import type { BodyForm } from '../../src/upstream/transport.ts';
import { ask, type Hearing, type TransportName, transportTo } from './transport-under-test.ts';

/** Answers every request with the same bytes, cut at the same places, then ends the connection. */
class Script {
  pieces: readonly string[] = [];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((socket) => {
      socket.on('error', () => {}).setNoDelay(true);
      socket.once('data', () => void this.#say(socket));
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`; // it listens on a port
  }

  close(): void {
    this.#server.close();
  }

  async #say(socket: Socket): Promise<void> {
    for (const piece of this.pieces) {
      if (socket.destroyed) return;
      socket.write(piece, 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    socket.end();
  }
}

interface Asking {
  readonly script: Script;
  /** Uses a new connection each time, since the script closes each one. */
  readonly askOf: (name: TransportName, form?: BodyForm) => Promise<Hearing>;
}

async function asking(t: Test): Promise<Asking> {
  const script = new Script();
  const url = await script.listen();
  t.teardown(() => script.close());
  return {
    script,
    async askOf(name, form = 'data') {
      const transport = transportTo(name, url);
      const hearing = await ask(transport, { form }).over;
      await transport.close();
      return hearing;
    },
  };
}

/** What a client would see of the response. */
function seen(hearing: Hearing): unknown {
  if (hearing.failure !== null) return 'failed';
  const headers: string[] = [];
  for (let at = 0; at + 1 < hearing.headers.length; at += 2) {
    headers.push(`${hearing.headers[at]?.toLowerCase()}: ${hearing.headers[at + 1]?.trim()}`); // undici keeps trailing white space
  }
  return { status: hearing.status, headers, body: hearing.body.toString('latin1') };
}

/**
 * Whether the response was complete before its last byte. Bytes after a complete response belong to nobody; undici treats some of
 * them as an error of the response, others not.
 */
async function isWholeBefore(bytes: string, script: Script, askOf: Asking['askOf']): Promise<boolean> {
  script.pieces = [bytes.slice(0, -1)];
  const hearing = await askOf('native');
  return hearing.failure === null && (hearing.header('content-length').length > 0 || hearing.body.length === 0);
}

function cutAt(bytes: string, cuts: readonly number[]): string[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const pieces: string[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) pieces.push(bytes.slice(from, place));
    from = place;
  }
  return pieces;
}

const data = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
  maxLength: 40,
});
const token = fc.stringMatching(/^[a-z][a-z0-9-]{0,10}$/).filter((name) => !RESERVED.has(name));
const RESERVED = new Set([
  'connection',
  'keep-alive',
  'trailer',
  'te',
  'upgrade',
  'transfer-encoding',
  'content-length',
]);
const value = fc.stringMatching(/^[!-~\x80-\xff]([ -~\x80-\xff]{0,20}[!-~\x80-\xff])?$/);
const fields = fc.array(fc.tuple(token, value), { maxLength: 5 });
const status = fc.constantFrom(200, 201, 206, 400, 404, 429, 500, 503);
const cuts = fc.array(fc.nat({ max: 2000 }), { maxLength: 12 });

function head(code: number, list: readonly (readonly [string, string])[], more: string): string {
  return `HTTP/1.1 ${code} Word\r\n${list.map(([name, text]) => `${name}: ${text}\r\n`).join('')}${more}\r\n`;
}

const withLength = fc
  .tuple(status, fields, data)
  .map(([code, list, body]) => head(code, list, `content-length: ${body.length}\r\n`) + body);
const inChunks = fc
  .tuple(status, fields, fc.array(data, { maxLength: 6 }), fc.boolean(), fields)
  .map(([code, list, chunks, isUpper, trailers]) => {
    const body = chunks
      .filter((chunk) => chunk !== '')
      .map((chunk) => {
        const size = chunk.length.toString(16);
        return `${isUpper ? size.toUpperCase() : size}\r\n${chunk}\r\n`;
      });
    const end = `0\r\n${trailers.map(([name, text]) => `${name}: ${text}\r\n`).join('')}\r\n`;
    return `${head(code, list, 'transfer-encoding: chunked\r\n')}${body.join('')}${end}`;
  });
const answer = fc.oneof(withLength, inChunks);

test('a valid answer is read as undici reads it, wherever it is cut', async (t) => {
  const { script, askOf } = await asking(t);
  await fc.assert(
    fc.asyncProperty(answer, cuts, async (bytes, places) => {
      script.pieces = cutAt(bytes, places);
      const [ours, theirs] = await Promise.all([askOf('native'), askOf('undici')]);
      return ours.failure === null && JSON.stringify(seen(ours)) === JSON.stringify(seen(theirs));
    }),
    { numRuns: 300 },
  );
});

test('a body passed on with its framing stays the same body', async (t) => {
  const { script, askOf } = await asking(t);
  await fc.assert(
    fc.asyncProperty(inChunks, cuts, async (bytes, places) => {
      script.pieces = cutAt(bytes, places);
      const [framed, plain] = await Promise.all([askOf('native', 'framed'), askOf('native')]);
      if (framed.failure !== null || plain.failure !== null) throw new Error('refused');
      // What a client would get: undici must decode it to the same body.
      script.pieces = [`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${framed.body.toString('latin1')}`];
      const again = await askOf('undici');
      return (
        again.failure === null &&
        again.body.equals(plain.body) &&
        framed.dataBytes === plain.body.length &&
        framed.headers.length > 0
      );
    }),
    { numRuns: 150 },
  );
});

test('what ours accepts, undici accepts and reads alike: mutated answers', async (t) => {
  const { script, askOf } = await asking(t);
  let taken = 0;
  const insert = fc.constantFrom(
    '\r',
    '\n',
    '\0',
    ' ',
    '\t',
    ':',
    ';',
    '0',
    'a',
    ',',
    '\r\n',
    '\xff',
    'chunked',
    '-',
    '+',
  );
  const mutation = fc.record({
    at: fc.nat({ max: 400 }),
    drop: fc.nat({ max: 3 }),
    insert: fc.option(insert, { nil: '' }),
  });
  await fc.assert(
    fc.asyncProperty(
      answer,
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      cuts,
      async (bytes, mutations, places) => {
        let mutant = bytes;
        for (const { at, drop, insert: more } of mutations) {
          const place = at % (mutant.length + 1);
          mutant = mutant.slice(0, place) + more + mutant.slice(place + drop);
        }
        script.pieces = cutAt(mutant, places);
        const [ours, theirs] = await Promise.all([askOf('native'), askOf('undici')]);
        if (ours.failure !== null) return true;
        taken += 1;
        return (
          JSON.stringify(seen(ours)) === JSON.stringify(seen(theirs)) || (await isWholeBefore(mutant, script, askOf))
        );
      },
    ),
    { numRuns: 600 },
  );
  t.ok(taken > 20, `${taken} mutants were still answers`);
});

test('garbage is never accepted as an answer if undici refuses it', async (t) => {
  const { script, askOf } = await asking(t);
  const word = fc.constantFrom(
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 ',
    '200',
    'content-length: 2\r\n',
    'transfer-encoding: chunked\r\n',
    'connection: close\r\n',
    '\r\n',
    '\r\n\r\n',
    '{}',
    '2\r\n{}\r\n',
    '0\r\n\r\n',
    ' ',
    '\n',
    '\r',
  );
  await t.resolves(
    fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(word, data), { maxLength: 10 }), cuts, async (words, places) => {
        script.pieces = cutAt(words.join(''), places);
        const [ours, theirs] = await Promise.all([askOf('native'), askOf('undici')]);
        if (ours.failure !== null || JSON.stringify(seen(ours)) === JSON.stringify(seen(theirs))) return true;
        return isWholeBefore(words.join(''), script, askOf);
      }),
      { numRuns: 400 },
    ),
    'held for every case tried',
  );
});
