import { test } from 'tap';
import { accessTokenAnswer, destination, secondsLeft } from '../../src/tokens/access-token.ts';

const made = { token: 'a-token', expiresAtMs: Date.UTC(2026, 10, 22, 9, 30), lifetimeSeconds: 300 };
const at = (secondsBefore: number): number => made.expiresAtMs - secondsBefore * 1000;

test('the seconds left are whole, never above the lifetime and never below zero', async (t) => {
  for (const [before, left] of [
    [300, 300],
    [299.001, 300],
    [299, 299],
    [0.001, 1],
    [0, 0],
    [-5, 0],
    [310, 300],
  ] as const)
    t.equal(secondsLeft(made, at(before)), left, `${before} s before its end`);
});

test('the answer describes the token, where to use it and when to refresh it', async (t) => {
  const direct = destination('direct', 'https://api.cartesia.ai/');
  const answer = {
    token: 'a-token',
    expires_in: 300,
    expires_at: '2026-11-22T09:30:00.000Z',
    refresh_in: 240,
    grants: { tts: true, stt: false, agent: true },
    delivery: 'direct',
    base_url: 'https://api.cartesia.ai',
    websocket_url: 'wss://api.cartesia.ai',
    cartesia_version: '2026-03-01',
  };
  t.strictSame(accessTokenAnswer(made, ['tts', 'agent'], direct, '2026-03-01', at(300)), answer);
  const stt = { tts: false, stt: true, agent: false };
  t.match(accessTokenAnswer(made, ['stt'], direct, '2026-03-01', at(6)), { grants: stt, expires_in: 6, refresh_in: 4 });
  for (const left of [1, 0])
    t.match(accessTokenAnswer(made, [], direct, '2026-03-01', at(left)), { expires_in: left, refresh_in: 1 });
});

test('a base URL has no trailing slash, and a counterpart for WebSockets', async (t) => {
  const cases = [
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080', 'ws://127.0.0.1:8080'],
    ['https://h/a/b//', 'https://h/a/b', 'wss://h/a/b'],
    ['https://http.example', 'https://http.example', 'wss://http.example'],
  ] as const;
  for (const [url, baseUrl, websocketUrl] of cases)
    t.strictSame(destination('proxied', url), { delivery: 'proxied', baseUrl, websocketUrl });
});
