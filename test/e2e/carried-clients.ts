// Clients that leave, read slowly or send badly while a request is carried.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Test, test } from 'tap';
import {
  type CarryingBroker,
  lineOf,
  open,
  recordingForm,
  SPEECH,
  send,
  startCarrying,
  type Transport,
  until,
  untilQuiet,
  usageOf,
} from './carried-broker.ts';

/** A whole request as bytes. */
function bytesOf(running: CarryingBroker, path: string, body: string | Buffer, type = 'application/json'): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: broker.test',
    `Authorization: Bearer ${running.token}`,
    `Content-Type: ${type}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ].join('\r\n');
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`), Buffer.from(body)]);
}

async function connected(t: Test, running: CarryingBroker): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(running.broker.url).port), noDelay: true });
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** The newest open request for a path at upstream, once it has received and sent this many bytes. */
function arrived(running: CarryingBroker, path: string, bytesIn = 1, bytesOut = 0) {
  const find = () => running.simulator.journal.entries({ path }).at(-1);
  return until(() => {
    const entry = find();
    return entry?.outcome === 'open' && entry.bytesIn >= bytesIn && entry.bytesOut >= bytesOut ? entry : null;
  }, `request for ${path}`);
}

/** The shortest of three runs: delays of a loaded machine are not ours. @param leave resolves with the milliseconds until upstream knew */
async function atBest(leave: () => Promise<number>): Promise<number> {
  const times = [await leave(), await leave(), await leave()];
  return Math.min(...times);
}

/** The same tests for every transport. */
export function testClients(transport: Transport): void {
  test('a client that leaves in any phase: upstream is told within 100 ms, and nothing is left', async (t) => {
    const phases = {
      'while Cartesia thinks': { settings: { latency: { firstByteMs: 60_000 } }, bodyBytes: 0 },
      'after the first piece': { settings: { latency: { perChunkMs: 60_000 } }, bodyBytes: 1 },
      'inside the body': { settings: { latency: { perChunkMs: 20 } }, bodyBytes: 40_000 },
    } as const;
    for (const path of ['/tts/bytes', '/tts/sse']) {
      for (const [name, { settings, bodyBytes }] of Object.entries(phases)) {
        for (const how of ['FIN', 'RST'] as const) {
          await t.test(`${path}, ${name}, by ${how}`, async (t) => {
            const running = await startCarrying(t, { transport, simulator: { settings } });
            const ms = await atBest(async () => {
              running.logs.length = 0;
              running.simulator.journal.clear();
              const socket = await connected(t, running);
              let received = 0;
              socket.on('data', (chunk) => {
                received += chunk.length;
              });
              socket.write(bytesOf(running, path, JSON.stringify(SPEECH)));
              const entry = await arrived(running, path);
              await until(() => received >= bodyBytes, 'answer');
              t.equal(running.broker.carried, 1);
              const start = performance.now();
              if (how === 'RST') socket.resetAndDestroy();
              else socket.destroy();
              await until(() => entry.outcome === 'aborted', 'abort');
              const took = performance.now() - start;
              await untilQuiet(running, 0);
              t.match(await lineOf(running, path), { outcome: 'aborted', status: 499, audit: 'usage', characters: 44 });
              t.equal(running.simulator.counters().tts.active, 0, 'Cartesia has its slot back');
              return took;
            });
            t.ok(ms < 100, `${ms} ms`);
          });
        }
      }
    }
    await t.test('/stt, inside the upload', async (t) => {
      const running = await startCarrying(t, { transport });
      const form = recordingForm(Buffer.alloc(400_000));
      const whole = bytesOf(running, '/stt', form.body, form.headers['content-type']);
      const ms = await atBest(async () => {
        running.simulator.journal.clear();
        const socket = await connected(t, running);
        socket.write(whole.subarray(0, 300_000));
        const entry = await arrived(running, '/stt', 100_000);
        const start = performance.now();
        socket.resetAndDestroy();
        await until(() => entry.outcome === 'aborted', 'abort');
        const took = performance.now() - start;
        await untilQuiet(running, 0);
        t.equal(running.simulator.counters().stt.active, 0);
        return took;
      });
      t.ok(ms < 100, `${ms} ms`);
    });
    await t.test('before its body is complete: Cartesia is never asked', async (t) => {
      const running = await startCarrying(t, { transport });
      const whole = bytesOf(running, '/tts/bytes', JSON.stringify(SPEECH));
      for (const length of [10, 100, whole.length - 1]) {
        const socket = await connected(t, running);
        socket.write(whole.subarray(0, length));
        await sleep(10);
        socket.resetAndDestroy();
      }
      await untilQuiet(running, 0);
      t.strictSame(running.simulator.journal.entries({ path: '/tts/bytes' }), []);
    });
  });

  test('1,000 clients that leave at 1,000 moments leave no socket, no forwarding and no slot behind', async (t) => {
    const running = await startCarrying(t, {
      transport,
      simulator: { plan: 'scale', settings: { latency: { firstByteMs: 3, perChunkMs: 3 }, limits: { tts: 1000 } } },
    });
    const short = JSON.stringify({
      ...SPEECH,
      transcript: 'Hello.',
      output_format: { ...SPEECH.output_format, sample_rate: 8000 },
    });
    const whole = await send(`${running.broker.url}/tts/bytes`, { credential: running.token, body: short });
    const speech = bytesOf(running, '/tts/bytes', short);
    const events = bytesOf(running, '/tts/sse', short);
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, async (_, client) => {
          const socket = await connected(t, running);
          const bytes = client % 2 === 0 ? speech : events;
          let received = 0;
          let isOver = false;
          socket.on('data', (chunk) => {
            received += chunk.length;
          });
          socket.on('close', () => {
            isOver = true;
          });
          // A fifth leave within their request, a fifth soon after it, the others at some byte of the response.
          const kind = client % 5;
          socket.write(kind === 0 ? bytes.subarray(0, Math.floor((bytes.length * client) / 50)) : bytes);
          if (kind < 2) await sleep(round);
          else await until(() => isOver || received > (whole.body.length * client) / 60, 'answer');
          if (client % 3 === 0) socket.resetAndDestroy();
          else socket.destroy();
        }),
      );
    }
    // Requests that completed in time left a connection for the next one; all other connections are closed.
    await untilQuiet(running, 50);
    t.equal(running.simulator.counters().tts.active, 0);
    const answer = await send(`${running.broker.url}/tts/bytes`, { credential: running.token, body: short });
    t.equal(answer.status, 200);
    t.ok(answer.isComplete);
    const entries = running.simulator.journal.entries().filter(({ path }) => path.startsWith('/tts'));
    // The last response may have reached its client before the simulator closes the journal entry.
    await until(() => entries.every(({ outcome }) => outcome !== 'open'), 'the last entry');
    t.ok(entries.length > 500, `${entries.length} requests reached Cartesia`);
    t.strictSame([...new Set(entries.map(({ outcome }) => outcome))].sort(), ['aborted', 'completed']);
    await running.broker.stop({ delayMs: 0 });
    await untilQuiet(running, 0);
  });

  test('a slow reader of a fast upstream: upstream is slowed down, not buffered', async (t) => {
    const transcript = 'The quick brown fox jumps over the lazy dog. '.repeat(100); // minutes of speech: tens of megabytes
    for (const path of ['/tts/bytes', '/tts/sse']) {
      await t.test(path, async (t) => {
        const running = await startCarrying(t, {
          transport,
          seams: { timeouts: { stalledMs: 1_500 }, carrying: { deadlines: { idleMs: 700 }, lookMs: 20 } },
        });
        const socket = await connected(t, running);
        const json = {
          ...SPEECH,
          transcript,
          output_format: { ...SPEECH.output_format, encoding: 'pcm_f32le', sample_rate: 48_000 },
        };
        socket.pause();
        socket.write(bytesOf(running, path, JSON.stringify(json)));
        const entry = await arrived(running, path, 1, 1);
        // Wait until nothing moves any more; then only buffers hold what upstream has sent.
        let taken = -1;
        while (taken !== entry.bytesOut) {
          taken = entry.bytesOut;
          await sleep(100);
        }
        const kernel = 2 * (6 + 4) * 1024 * 1024; // the most that two connections hold by default on Linux, unread and unsent
        t.ok(taken < 1024 * 1024 + kernel, `${taken} bytes were taken from upstream`);
        t.equal(entry.outcome, 'open');
        // A reader that takes nothing at all is cut in the end.
        await until(() => entry.outcome === 'aborted', 'cut');
        await untilQuiet(running, 0);
        t.match(await lineOf(running, path), { outcome: 'aborted', status: 499 });
      });
    }
  });

  test('a reader of 1 KB a second is only slow, even if nothing seems to move for longer than upstream may be silent', async (t) => {
    for (const path of ['/tts/bytes', '/tts/sse']) {
      await t.test(path, async (t) => {
        const running = await startCarrying(t, {
          transport,
          seams: { carrying: { deadlines: { idleMs: 800 }, lookMs: 20 } }, // longer than a busy machine may pause
        });
        const json = { ...SPEECH, transcript: SPEECH.transcript.repeat(150) }; // more than the buffers of two connections hold
        const response = await open(`${running.broker.url}${path}`, { credential: running.token, json });
        let received = 0;
        for (const start = performance.now(); performance.now() - start < 2_500; await sleep(100))
          received += (response.read(100) as Buffer | null)?.length ?? 0;
        const entry = running.simulator.journal.entries({ path }).at(-1);
        t.equal(entry?.outcome, 'open', 'upstream waits');
        t.ok((entry?.bytesOut ?? 0) > 1024 * 1024 && received > 1_000, `${received} of ${entry?.bytesOut} bytes`);
        for await (const chunk of response) received += (chunk as Buffer).length;
        t.ok(response.complete);
        await until(() => entry?.outcome === 'completed', 'end upstream');
        await untilQuiet(running, 1);
        t.match(await lineOf(running, path), { outcome: 'ok', status: 200 });
      });
    }
  });

  test('a slow but steady reader gets everything', async (t) => {
    const running = await startCarrying(t, {
      transport,
      seams: { carrying: { deadlines: { idleMs: 1000 }, lookMs: 20 } },
    });
    const json = { ...SPEECH, transcript: SPEECH.transcript.repeat(20) };
    const direct = await send(`${running.simulator.url}/tts/bytes`, { credential: running.simulator.apiKey, json });
    const response = await open(`${running.broker.url}/tts/bytes`, { credential: running.token, json });
    const chunks: Buffer[] = [];
    for await (const chunk of response) {
      chunks.push(chunk as Buffer);
      await sleep(5);
    }
    t.ok(response.complete);
    t.ok(Buffer.concat(chunks).equals(direct.body), `${direct.body.length} bytes`);
    await untilQuiet(running, 2);
    t.equal((await usageOf(running, '/tts/bytes'))['audio_bytes'], direct.body.length);
  });

  test('data leaves as it arrives: the head before the first piece, each piece before the next', async (t) => {
    const running = await startCarrying(t, { transport, simulator: { settings: { latency: { perChunkMs: 150 } } } });
    for (const path of ['/tts/bytes', '/tts/sse']) {
      const start = performance.now();
      const response = await open(`${running.broker.url}${path}`, { credential: running.token, json: SPEECH });
      const times: number[] = [];
      for await (const _ of response) times.push(performance.now() - start);
      t.ok(times.length > 5, `${times.length} pieces`);
      const [first = 0, last = 0] = [times[0], times.at(-1)];
      t.ok(first < last / 2, `first after ${first} ms, last after ${last} ms`);
      const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
      t.ok(gaps.slice(0, -1).filter((gap) => gap > 100).length > times.length / 2, `${gaps.map(Math.round).join()} ms`);
    }
  });

  test('when the broker stops, whatever is still open is cut, and upstream is told', async (t) => {
    const running = await startCarrying(t, {
      transport,
      simulator: { settings: { latency: { perChunkMs: 5000 } } },
      file: { listen: { drain_deadline: 1 } },
    });
    const response = await open(`${running.broker.url}/tts/bytes`, { credential: running.token, json: SPEECH });
    response.resume();
    response.on('error', () => {}); // `complete` reports it
    const ended = new Promise((resolve) => response.on('close', resolve));
    const start = performance.now();
    await running.broker.stop({ delayMs: 0 });
    t.ok(performance.now() - start < 3000);
    await ended;
    t.notOk(response.complete, 'never a clean end');
    await untilQuiet(running, 0);
  });
}
