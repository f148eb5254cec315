// Faults of Cartesia while a request is carried: what the client gets, what is counted, and that nothing is left behind.
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { createCertificate } from '../../src/simulator/certificate.ts';
import type { FaultAction } from '../../src/simulator/faults.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { createAuthority } from '../upstream/certificates.ts';
import {
  type Answer,
  type CarryingBroker,
  type CarryingOptions,
  lineOf,
  recordingForm,
  type SendOptions,
  SPEECH,
  send,
  startCarrying,
  type Transport,
  untilQuiet,
  usageOf,
} from './carried-broker.ts';

/** Short enough to wait for, long enough for a loaded machine to answer within. */
const CLOCKS = { deadlines: { headMs: 600, idleMs: 600, totalMs: 1500 }, lookMs: 20 };
const WAV = Buffer.concat([createWavHeader(8000), Buffer.alloc(8000)]);
const FORM = recordingForm(WAV);

const CALLS: Readonly<Record<string, SendOptions>> = {
  '/tts/bytes': { json: SPEECH },
  '/tts/sse': { json: { ...SPEECH, context_id: 'ctx-1' } },
  '/stt': FORM,
  '/audio/transcriptions': FORM,
  '/voices': {},
};

function ask(running: CarryingBroker, path: string): Promise<Answer> {
  return send(`${running.broker.url}${path}`, { credential: running.token, ...CALLS[path] });
}

/** Checks that this is a complete refusal in the common shape. */
function isRefusal(t: Test, answer: Answer, expected: { status: number; code: string | null; source?: string }): void {
  t.equal(answer.status, expected.status);
  t.ok(answer.isComplete);
  const body = JSON.parse(answer.body.toString()) as Record<string, unknown>;
  t.match(body, { error_code: expected.code, source: expected.source ?? 'broker', title: String, message: String });
  t.strictSame(Object.keys(body), ['error_code', 'title', 'message', 'request_id', 'source']);
  t.equal(body['request_id'], answer.headers['x-request-id']);
  t.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  t.equal(answer.headers['content-length'], String(answer.body.length));
  t.equal(answer.headers['cache-control'], 'no-store');
  t.equal(answer.headers['www-authenticate'], undefined);
}

const GARBAGE = 'canary-in-garbage';
const BROKEN: Readonly<Record<string, FaultAction>> = {
  'RST when it accepts': { type: 'refuse', at: 'accept' },
  'RST when it has the request': { type: 'refuse', at: 'request' },
  'FIN before the head': { type: 'half_close', at: 'before_headers' },
  'FIN inside the head': { type: 'half_close', at: 'inside_headers' },
  garbage: { type: 'garbage', bytes: `${GARBAGE}\r\n\r\n` },
  'garbage on an open connection': { type: 'garbage', bytes: `${GARBAGE}\r\n\r\n`, keepOpen: true },
  'a bad status line': { type: 'garbage', bytes: `HTTP/1.1 2x0 ${GARBAGE}\r\nContent-Length: 0\r\n\r\n` },
  'an unknown protocol': { type: 'garbage', bytes: `HTCPCP/1.0 200 OK\r\nX: ${GARBAGE}\r\n\r\n` },
  'two lengths': {
    type: 'garbage',
    bytes: `HTTP/1.1 200 OK\r\nX: ${GARBAGE}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} `,
  },
  'a length and chunks': {
    type: 'garbage',
    bytes: `HTTP/1.1 200 OK\r\nX: ${GARBAGE}\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  },
  'an invalid length': { type: 'garbage', bytes: `HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}` },
  'bare LF': { type: 'garbage', bytes: `HTTP/1.1 200 OK\nX: ${GARBAGE}\nContent-Length: 2\n\n{}` },
  'a folded field': { type: 'garbage', bytes: `HTTP/1.1 200 OK\r\nX: a\r\n ${GARBAGE}\r\nContent-Length: 2\r\n\r\n{}` },
  'a head of 20 KB': { type: 'big_header', bytes: 20_000 },
  'an upgrade that nobody asked for': {
    type: 'garbage',
    bytes: `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${GARBAGE}\r\nConnection: Upgrade\r\n\r\n`,
  },
};

/** The same tests for every transport. */
export function testFaults(transport: Transport): void {
  const start = (t: Test, more: CarryingOptions = {}): Promise<CarryingBroker> =>
    startCarrying(t, { seams: { carrying: CLOCKS }, transport, ...more });

  for (const [path] of Object.entries(CALLS)) {
    test(`${path}: broken before its answer begins: 502, and the connection is not reused`, async (t) => {
      const running = await start(t);
      const { simulator } = running;
      for (const [name, action] of Object.entries(BROKEN)) {
        await t.test(name, async (t) => {
          simulator.journal.clear();
          running.logs.length = 0;
          const fault = simulator.faults.add({ match: {}, action });
          const answer = await ask(running, path);
          isRefusal(t, answer, { status: 502, code: 'upstream_unavailable' });
          t.equal(answer.headers['x-should-retry'], 'true');
          await untilQuiet(running, 0);
          t.ok(fault.hits() >= 1, 'the fault was met');
          t.ok(fault.hits() <= 1 || action.type === 'refuse', `asked once, not ${fault.hits()} times`);
          fault.remove();
          t.notOk(running.logText().includes(GARBAGE), 'what upstream sent is not in the log');
          t.match(await lineOf(running, path), { outcome: 'upstream_unavailable', status: 502 });
          t.equal((await ask(running, path)).status, 200, 'works again');
          await untilQuiet(running, 1);
        });
      }
      const { requests, ...used } = await usageOf(running, path);
      const good = Object.keys(BROKEN).length;
      t.equal(requests, good, 'a request that Cartesia did not accept does not count');
      if (path.startsWith('/tts')) t.equal(used['characters'], good * SPEECH.transcript.length, 'only what was spoken');
    });
  }

  test('a file name that is not ASCII passes byte for byte, and the rest of the head with it', async (t) => {
    const running = await start(t);
    const name = 'attachment; filename="\xe9\xff.wav"';
    const bytes = `HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 4\r\nContent-Disposition: ${name}\r\n\r\nRIFF`;
    running.simulator.faults.add({ match: {}, action: { type: 'garbage', bytes, keepOpen: true } });
    const answer = await ask(running, '/tts/bytes');
    t.match(answer, { status: 200, isComplete: true });
    t.equal(answer.body.toString(), 'RIFF');
    t.match(answer.headers, {
      'content-disposition': name,
      'content-type': 'audio/wav',
      'cache-control': 'no-cache, no-store',
    });
    t.match(answer.headers['x-request-id'], /./);
  });

  test('a compressed error is reported by its status', async (t) => {
    const running = await start(t);
    const bytes = gzipSync('Busy: try later').toString('latin1');
    const head = `HTTP/1.1 503 X\r\nContent-Encoding: gzip\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    running.simulator.faults.add({ match: {}, action: { type: 'garbage', bytes: head + bytes, keepOpen: true } });
    const { status, body } = await ask(running, '/tts/bytes');
    t.equal(status, 503);
    t.match(JSON.parse(body.toString()), { title: /^[ -~]+$/, message: /^[ -~]+$/, source: 'upstream' });
  });

  test('Cartesia is down: 502 within 100 ms', async (t) => {
    const running = await start(t);
    t.equal((await ask(running, '/tts/bytes')).status, 200);
    await running.simulator.close();
    const times: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      const answer = await ask(running, '/tts/bytes');
      isRefusal(t, answer, { status: 502, code: 'upstream_unavailable' });
      times.push(answer.ms);
    }
    t.ok(Math.min(...times) < 100, `${times.map(Math.round).join()} ms`);
    await untilQuiet(running, 0);
  });

  test('silence, or a head in drips: 504 at the deadline for the head', async (t) => {
    const slow: Readonly<Record<string, FaultAction>> = {
      'accepts, silent': { type: 'hang', at: 'accept' },
      'reads, silent': { type: 'hang', at: 'request' },
      'a head in drips': { type: 'drip', part: 'headers', intervalMs: 50 },
    };
    for (const path of ['/tts/bytes', '/tts/sse', '/stt', '/voices']) {
      await Promise.all(
        Object.entries(slow).map(([name, action]) =>
          t.test(`${path}: ${name}`, async (t) => {
            const running = await start(t);
            running.simulator.faults.add({ match: {}, action });
            const answer = await ask(running, path);
            isRefusal(t, answer, { status: 504, code: 'upstream_timeout' });
            t.ok(answer.ms > 550 && answer.ms < 1400, `${answer.ms} ms`);
            // A simulator that never reads a connection does not see it end either.
            await untilQuiet(running, action.type === 'hang' && action.at === 'accept' ? 1 : 0);
          }),
        ),
      );
    }
  });

  test('a body that drips or stops is cut, at the total deadline or the idle one', async (t) => {
    await t.test('in drips', async (t) => {
      const running = await start(t);
      running.simulator.faults.add({ match: {}, action: { type: 'drip', part: 'body', intervalMs: 50 } });
      const answer = await ask(running, '/tts/bytes');
      t.equal(answer.status, 200);
      t.notOk(answer.isComplete, 'an aborted body');
      t.ok(answer.body.length > 0 && answer.ms > 1400 && answer.ms < 2500, `${answer.body.length} B, ${answer.ms} ms`);
      await untilQuiet(running, 0);
      t.match(await lineOf(running, '/tts/bytes'), { outcome: 'upstream_timeout', audio_bytes: answer.body.length });
    });
    await t.test('stops', async (t) => {
      const running = await start(t, { simulator: { settings: { latency: { perChunkMs: 5000 } } } });
      const answer = await ask(running, '/tts/bytes');
      t.notOk(answer.isComplete);
      t.ok(answer.ms > 550 && answer.ms < 1400, `${answer.ms} ms`);
      await untilQuiet(running, 0);
      t.equal((await usageOf(running, '/tts/bytes'))['audio_bytes'], answer.body.length);
    });
    await t.test('an event stream stops', async (t) => {
      const running = await start(t, { simulator: { settings: { latency: { perChunkMs: 5000 } } } });
      const answer = await ask(running, '/tts/sse');
      t.ok(answer.isComplete, 'it ends with an event');
      t.match(eventsOf(answer).at(-1), {
        type: 'error',
        done: true,
        status_code: 504,
        error_code: 'upstream_timeout',
        context_id: 'ctx-1',
        request_id: answer.headers['x-request-id'],
      });
      await untilQuiet(running, 0);
    });
  });

  test('broken inside the body: the client sees an aborted body, and what passed is counted', async (t) => {
    const AFTER = 40_000;
    const cuts: Readonly<Record<string, FaultAction>> = {
      'RST after the head': { type: 'reset', afterBodyBytes: 0 },
      RST: { type: 'reset', afterBodyBytes: AFTER },
      'FIN, so that the last chunk is missing': { type: 'half_close', at: 'body', afterBodyBytes: AFTER },
      'FIN after the head': { type: 'half_close', at: 'body', afterBodyBytes: 0 },
    };
    for (const [name, action] of Object.entries(cuts)) {
      await t.test(name, async (t) => {
        const running = await start(t);
        running.simulator.faults.add({ match: {}, action });
        const answer = await ask(running, '/tts/bytes');
        t.equal(answer.status, 200);
        t.notOk(answer.isComplete, 'never a clean end');
        const sent = 'afterBodyBytes' in action ? (action.afterBodyBytes ?? 0) : 0;
        t.ok(answer.body.length <= sent);
        if (action.type === 'half_close') t.equal(answer.body.length, sent, 'everything that arrived was passed on');
        await untilQuiet(running, 0);
        const used = await usageOf(running, '/tts/bytes');
        t.equal(used['audio_bytes'] ?? 0, answer.body.length);
        t.equal(used['characters'], SPEECH.transcript.length);
        t.match(await lineOf(running, '/tts/bytes'), {
          outcome: 'upstream_unavailable',
          audit: 'usage',
          audio_bytes: answer.body.length,
        });
      });
    }
    await t.test('a JSON answer that is shorter than its length', async (t) => {
      const running = await start(t);
      running.simulator.faults.add({ match: {}, action: { type: 'half_close', at: 'body', afterBodyBytes: 20 } });
      for (const path of ['/voices', '/stt']) {
        const answer = await ask(running, path);
        t.equal(answer.status, 200, path);
        t.notOk(answer.isComplete, path);
        await untilQuiet(running, 0);
      }
    });
    await t.test('garbage where a chunk should be', async (t) => {
      const running = await start(t);
      running.simulator.faults.add({
        match: {},
        action: {
          type: 'garbage',
          bytes:
            'HTTP/1.1 200 OK\r\nContent-Type: audio/raw\r\nTransfer-Encoding: chunked\r\n\r\n4\r\naaaa\r\nzz\r\nbbbb',
        },
      });
      const answer = await ask(running, '/tts/bytes');
      t.equal(answer.body.toString(), 'aaaa');
      t.notOk(answer.isComplete);
      await untilQuiet(running, 0);
    });
  });

  test('an HTTP/1.0 client, for whom a body ends with the connection, sees a broken body as an error', async (t) => {
    for (const [tls, code] of [
      [false, 'ECONNRESET'],
      [true, 'ERR_SSL_BAD_RECORD_TYPE'], // Node and nginx take an end without a close alert for a clean end
    ] as const) {
      const running = await start(t, { tls });
      running.simulator.faults.add({
        match: {},
        action: { type: 'half_close', at: 'body', afterBodyBytes: 40_000 },
      });
      const to = { port: Number(new URL(running.broker.url).port), host: '127.0.0.1' };
      const body = JSON.stringify(SPEECH);
      const socket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
      t.teardown(() => socket.destroy());
      const ended = new Promise<string>((resolve) => {
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
        socket.on('end', () => resolve('a clean end'));
      });
      socket.resume();
      socket.write(
        `POST /tts/bytes HTTP/1.0\r\nAuthorization: Bearer ${running.token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      t.equal(await ended, code);
      await untilQuiet(running, 0);
    }
  });

  test('an event stream that just stops ends with an error event, and then cleanly', async (t) => {
    for (const end of ['clean', 'fin', 'reset'] as const) {
      for (const [afterEvents, partial] of [
        [0, false],
        [2, false],
        [2, true],
      ] as const) {
        await t.test(`${end} after ${afterEvents} events${partial ? ' and a half' : ''}`, async (t) => {
          const running = await start(t);
          running.simulator.faults.add({ match: {}, action: { type: 'truncate_events', afterEvents, partial, end } });
          const answer = await ask(running, '/tts/sse');
          t.equal(answer.status, 200);
          t.ok(answer.isComplete);
          const events = eventsOf(answer);
          t.ok(events.length <= afterEvents + 1);
          if (end !== 'reset') t.equal(events.length, afterEvents + 1);
          t.notOk(
            events.some(({ type }) => type === 'done'),
            'no invented success',
          );
          t.match(events.at(-1), {
            type: 'error',
            done: true,
            status_code: 502,
            error_code: 'upstream_unavailable',
            source: 'broker',
            context_id: 'ctx-1',
            request_id: answer.headers['x-request-id'],
          });
          await untilQuiet(running, end === 'clean' ? 1 : 0);
          const audio = events.reduce((sum, { data }) => sum + Buffer.from(String(data ?? ''), 'base64').length, 0);
          t.equal((await usageOf(running, '/tts/sse'))['audio_bytes'] ?? 0, audio);
          t.match(await lineOf(running, '/tts/sse'), {
            outcome: 'upstream_unavailable',
            status: 200,
            audit: 'usage',
            audio_bytes: audio,
          });
        });
      }
    }
  });

  test('an error inside an event stream becomes the event that every client reads', async (t) => {
    for (const version of ['2025-04-16', '2026-03-01', '2026-08-14']) {
      const running = await start(t);
      running.simulator.faults.add({
        match: {},
        action: { type: 'error_event', afterEvents: 1, problem: 'quota_exceeded' },
      });
      const answer = await send(`${running.broker.url}/tts/sse`, {
        credential: running.token,
        json: { ...SPEECH, context_id: 'ctx-1' },
        headers: { 'cartesia-version': version },
      });
      const [entry] = running.simulator.journal.entries({ path: '/tts/sse' });
      const events = eventsOf(answer);
      t.equal(events.length, 2);
      const isLegacy = version < '2026-03-01';
      t.match(events[1], {
        type: 'error',
        done: true,
        status_code: 402,
        error: String,
        error_code: isLegacy ? null : 'quota_exceeded',
        source: 'upstream',
        context_id: 'ctx-1',
        request_id: isLegacy ? answer.headers['x-request-id'] : entry?.requestId,
      });
      await untilQuiet(running, 1);
    }
  });

  test('errors of Cartesia keep their status, code, text and id, in one shape for every version', async (t) => {
    const running = await start(t);
    const { simulator } = running;
    for (const version of ['2024-06-10', '2025-04-16', '2026-03-01', '2026-08-14']) {
      for (const status of [400, 402, 403, 404, 409, 413, 422, 500, 502, 503]) {
        simulator.journal.clear();
        const fault = simulator.faults.add({
          match: {},
          action: { type: 'answer', status, code: 'some_code', title: 'Some title', message: 'Some message.' },
        });
        const isLegacy = version < '2026-03-01';
        const answer = await send(`${running.broker.url}/tts/bytes`, {
          credential: running.token,
          json: SPEECH,
          headers: { 'cartesia-version': version },
        });
        fault.remove();
        isRefusal(t, answer, { status, code: isLegacy ? null : 'some_code', source: 'upstream' });
        t.match(JSON.parse(answer.body.toString()), { title: 'Some title', message: 'Some message.' });
        t.equal(answer.headers['cartesia-request-id'], simulator.journal.entries()[0]?.requestId);
        t.equal(answer.headers['x-should-retry'], String(status === 409 || status >= 500));
      }
    }
    for (const status of [500, 502, 503, 504]) {
      const fault = simulator.faults.add({ match: {}, action: { type: 'answer', status, html: true } });
      const answer = await ask(running, '/tts/sse');
      fault.remove();
      isRefusal(t, answer, { status, code: null, source: 'upstream' });
      t.notOk(answer.body.includes('<'), 'no HTML in it');
      t.equal(answer.headers['cartesia-request-id'], simulator.journal.entries().at(-1)?.requestId);
    }
    await untilQuiet(running, 1);
  });

  test('a very long error page is not waited for', async (t) => {
    const running = await start(t);
    running.simulator.faults.add({
      match: {},
      action: { type: 'answer', status: 500, body: 'x'.repeat(5_000_000), contentType: 'text/plain' },
    });
    isRefusal(t, await ask(running, '/tts/bytes'), { status: 500, code: null, source: 'upstream' });
    await untilQuiet(running, 0);
  });

  test('a 429 from Cartesia stays a 429, with a bounded Retry-After, or a default if it has none', async (t) => {
    const running = await start(t);
    for (const [retryAfter, expected] of [
      [7, '7'],
      [3600, '60'],
      [0, '1'],
      ['never', '1'],
      [undefined, '1'],
    ] as const) {
      const fault = running.simulator.faults.add({
        match: {},
        action: {
          type: 'answer',
          status: 429,
          code: 'concurrency_limited',
          ...(retryAfter === undefined ? {} : { retryAfter }),
        },
      });
      const answer = await ask(running, '/tts/bytes');
      fault.remove();
      isRefusal(t, answer, { status: 429, code: 'concurrency_limited', source: 'upstream' });
      t.equal(answer.headers['retry-after'], expected, `${retryAfter}`);
      t.equal(answer.headers['x-should-retry'], 'true');
    }
  });

  test('our key is refused: 502 and an alarm, never 401, and Cartesia’s text stays here', async (t) => {
    const running = await start(t);
    let alarms = 0;
    for (const status of [401, 403]) {
      for (const path of Object.keys(CALLS)) {
        const fault = running.simulator.faults.add({
          match: {},
          action: { type: 'answer', status, message: 'Your key sk_car is bad', echoAuthorization: true },
        });
        const answer = await ask(running, path);
        fault.remove();
        alarms += 1;
        isRefusal(t, answer, { status: 502, code: 'upstream_rejected' });
        t.notOk(answer.body.includes('sk_car'));
      }
    }
    t.match(
      await running.broker.metrics.registry.metrics(),
      new RegExp(`broker_upstream_key_rejected_total ${alarms}\n`),
    );
    t.ok(running.logs.some((line) => line['msg'] === 'Cartesia refuses an API key: replace it'));
    t.strictSame(running.watch.leaks(), []);
  });

  test('an upstream that repeats our Authorization reveals it to nobody', async (t) => {
    const running = await start(t);
    const { simulator, watch } = running;
    for (const status of [200, 400, 404, 429, 500]) {
      for (const html of [false, true]) {
        if (status === 200) continue; // the body of a successful answer is the audio or text that was asked for
        const fault = simulator.faults.add({
          match: {},
          action: {
            type: 'answer',
            status,
            html,
            echoAuthorization: true,
            headers: { 'x-request-id': simulator.apiKey },
          },
        });
        for (const path of Object.keys(CALLS)) await ask(running, path);
        fault.remove();
        t.strictSame(watch.leaks(), [], `${status}`);
      }
    }
    const key = simulator.apiKey;
    for (const head of [
      `HTTP/1.1 200 ${key}\r\nX: ${key}\r\nCartesia-Request-Id: ${key}\r\nSet-Cookie: ${key}`,
      `HTTP/1.1 302 ${key}\r\nLocation: https://${key}.test/`,
    ]) {
      const fault = simulator.faults.add({
        match: {},
        action: { type: 'garbage', bytes: `${head}\r\nContent-Length: 2\r\n\r\n{}` },
      });
      await ask(running, '/tts/bytes');
      fault.remove();
    }
    t.strictSame(watch.leaks(), []);
  });

  test('a redirect is not followed: 502, and the other host sees nothing', async (t) => {
    const other = await startSimulator({ tlsPort: null });
    t.teardown(() => other.close());
    const running = await start(t);
    for (const status of [301, 302, 303, 307, 308]) {
      for (const path of Object.keys(CALLS)) {
        const fault = running.simulator.faults.add({
          match: {},
          action: { type: 'redirect', status, location: `${other.url}${path}` },
        });
        const answer = await ask(running, path);
        fault.remove();
        isRefusal(t, answer, { status: 502, code: 'upstream_unavailable' });
        t.equal(answer.headers.location, undefined);
      }
    }
    t.strictSame(other.journal.entries(), []);
    t.equal(other.counters().openConnections, 0);
  });

  test('an untrusted certificate: 502, and the key was not sent', async (t) => {
    const authority = await createAuthority();
    const trusted = t.testdir({ 'ca.pem': authority.cert });
    const hour = 3_600_000;
    const cases = [
      ['self-signed', createCertificate(Date.now()), 502],
      ['for another name', await authority.issue({ host: 'other.test' }), 502],
      ['expired', await authority.issue({ host: 'localhost', notAfter: new Date(Date.now() - hour) }), 502],
      ['not valid yet', await authority.issue({ host: 'localhost', notBefore: new Date(Date.now() + hour) }), 502],
      ['the control: a good one', await authority.issue({ host: 'localhost' }), 200],
    ] as const;
    for (const [name, tls, status] of cases) {
      await t.test(name, async (t) => {
        const running = await start(t, {
          simulator: { tlsPort: 0, tls },
          env: (simulator) => ({
            CARTESIA_BASE_URL: simulator.tlsUrl,
            CARTESIA_ALLOW_INSECURE: undefined,
          }),
          file: { upstream: { ca_file: `${trusted}/ca.pem` } },
        });
        const answer = await ask(running, '/tts/bytes');
        t.equal(answer.status, status);
        if (status === 502) {
          isRefusal(t, answer, { status, code: 'upstream_unavailable' });
          t.strictSame(running.simulator.journal.entries(), []);
        } else t.ok(running.simulator.journal.entries().every(({ secure }) => secure));
        await untilQuiet(running, 1); // the simulator's side of an abandoned handshake stays half open
      });
    }
  });
}

interface SpeechEvent {
  readonly type: string;
  readonly data?: string;
}

function eventsOf(answer: Answer): SpeechEvent[] {
  return answer.body
    .toString()
    .split('\n\n')
    .slice(0, -1)
    .map((event) => JSON.parse(event.replace(/^(?:event: \w+\n)?data: /, '')) as SpeechEvent);
}

function createWavHeader(bytes: number): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + bytes, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(8000, 24);
  header.writeUInt32LE(16_000, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36);
  header.writeUInt32LE(bytes, 40);
  return header;
}
