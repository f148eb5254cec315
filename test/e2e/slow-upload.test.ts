// Uploads of recordings may take longer than other requests; nothing else may, and nobody without a credential.
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'tap';
import { wavHeader } from '../../src/simulator/audio/wav.ts';
import { recordingForm, startCarrying, untilQuiet } from './carried-broker.ts';
import { isProblem } from './problem-answer.ts';
import { openRaw } from './raw-connection.ts';

const SHORT = { headersMs: 300, requestMs: 400, keepAliveMs: 5000, checkMs: 20 };

const WAV = Buffer.concat([wavHeader('pcm_s16le', 8000), Buffer.alloc(8000)]);

function upload(path: string, token: string, length: number, contentType: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer ${token}\r\nContent-Type: ${contentType}\r\nContent-Length: ${length}\r\n\r\n`;
}

test('an upload that takes three times the request timeout is transcribed', async (t) => {
  const { broker, token } = await startCarrying(t, { seams: { timeouts: SHORT } });
  const { body, headers } = recordingForm(WAV);
  for (const path of ['/stt', '/audio/transcriptions']) {
    const connection = await openRaw(t, broker.url);
    connection.send(upload(path, token, body.length, headers['content-type']));
    const piece = Math.ceil(body.length / 12);
    for (let at = 0; at < body.length; at += piece) {
      connection.send(body.subarray(at, at + piece));
      await sleep(100);
    }
    t.equal((await connection.response()).status, 200, path);
    // The connection works as before, and so do its timeouts.
    connection.send('GET /livez HTTP/1.1\r\nHost: b\r\n\r\n');
    t.equal((await connection.response()).status, 200);
    connection.send(`${upload('/tts/bytes', token, 1000, 'application/json')}{`);
    isProblem(t, await connection.response(), 'request_timeout');
    await connection.ended();
  }
});

test('an upload has a deadline of its own', async (t) => {
  const running = await startCarrying(t, {
    seams: { timeouts: SHORT, carrying: { deadlines: { headMs: 900 }, lookMs: 20 } },
  });
  const { body, headers } = recordingForm(WAV);
  const connection = await openRaw(t, running.broker.url);
  const start = performance.now();
  connection.send(upload('/stt', running.token, body.length, headers['content-type']));
  connection.send(body.subarray(0, 500));
  const drops = setInterval(() => connection.send('x'), 50);
  t.teardown(() => clearInterval(drops));
  isProblem(t, await connection.response(), 'upstream_timeout');
  t.ok(performance.now() - start > 850);
  // The rest of the body is not waited for.
  await connection.ended();
  clearInterval(drops);
  await untilQuiet(running, 0);
});

test('refused callers, and requests that are not uploads, keep the normal request timeout', async (t) => {
  const { broker, token } = await startCarrying(t, { seams: { timeouts: SHORT } });
  const form = 'multipart/form-data; boundary=x';
  const cases = [
    ['without a credential', upload('/stt', 'nobody', 1000, form), 'unauthenticated'],
    ['no form', upload('/stt', token, 1000, 'application/octet-stream'), 'unsupported_media_type'],
    ['a generation', upload('/tts/bytes', token, 1000, 'application/json'), 'request_timeout'],
    ['events', upload('/tts/sse', token, 1000, 'application/json'), 'request_timeout'],
  ] as const;
  await Promise.all(
    cases.map(([name, head, code]) =>
      t.test(name, async (t) => {
        const start = performance.now();
        const connection = await openRaw(t, broker.url);
        connection.send(head);
        const drops = setInterval(() => connection.send(' '), 50);
        t.teardown(() => clearInterval(drops));
        isProblem(t, await connection.response(), code);
        await connection.ended();
        t.ok(performance.now() - start < SHORT.requestMs + 1000);
      }),
    ),
  );
});
