// What an access token opens, at Cartesia and at the simulator, and what the broker promises of the tokens that it mints there.
import { setTimeout as sleep } from 'node:timers/promises';
import { call, generationAt } from './calls.ts';
import { atUpstreams, brokerFor, type Upstream } from './places.ts';

const placeOf = ({ url, apiKey }: Upstream) => ({ url, credential: apiKey, isBroker: false });

async function mint(upstream: Upstream, json: object): Promise<{ readonly status: number; readonly token: string }> {
  const response = await call(placeOf(upstream), '/access-token', { json });
  const { token = '' } = response.ok ? ((await response.json()) as { token: string }) : {};
  return { status: response.status, token };
}

function claimsOf(token: string): { readonly iat: number; readonly exp: number } {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

atUpstreams('a token opens what it is granted, and nothing else', async (t, upstream) => {
  const place = placeOf(upstream);
  const { status, token } = await mint(upstream, { grants: { tts: true }, expires_in: 60 });
  t.equal(status, 200);
  const json = await generationAt(place);
  t.equal((await call(place, '/tts/bytes', { json, credential: token })).status, 200);
  const form = new FormData();
  form.append('file', new Blob([new Uint8Array(3_200)]), 'silence.raw');
  form.append('model', 'ink-whisper');
  const stt = await call(place, '/stt?encoding=pcm_s16le&sample_rate=16000', { form, credential: token });
  t.ok([401, 403].includes(stt.status), `transcription: ${stt.status}`);
  const another = await call(place, '/access-token', { json: { grants: { tts: true } }, credential: token });
  t.ok([401, 403].includes(another.status), `another token: ${another.status}`);
});

atUpstreams('a token lives as long as was asked, an hour at most', async (t, upstream) => {
  const { token } = await mint(upstream, { grants: { tts: true }, expires_in: 90 });
  const { iat, exp } = claimsOf(token);
  t.equal(exp - iat, 90);
  t.equal((await mint(upstream, { grants: { tts: true }, expires_in: 3_601 })).status, 400);
});

atUpstreams('an expired token is refused', async (t, upstream) => {
  const place = placeOf(upstream);
  const { token } = await mint(upstream, { grants: { tts: true }, expires_in: 1 });
  await sleep(2_500);
  const json = await generationAt(place);
  t.equal((await call(place, '/tts/bytes', { json, credential: token })).status, 401);
});

atUpstreams('the broker mints a token that is used there, and does not outlive what it said', async (t, upstream) => {
  const { url, appKey } = await brokerFor(t, upstream, 'direct');
  const json = { grants: { tts: true }, expires_in: 60 };
  const minted = await call({ url, credential: appKey }, '/access-token', { json });
  t.equal(minted.status, 200);
  const { token, base_url, expires_at, grants } = (await minted.json()) as Record<string, string>;
  t.strictSame(grants, { tts: true, stt: false, agent: false });
  t.equal(base_url, upstream.url);
  const speech = await call(placeOf(upstream), '/tts/bytes', {
    json: await generationAt(placeOf(upstream)),
    credential: token ?? '',
  });
  t.equal(speech.status, 200);
  const saidMs = Date.parse(expires_at ?? '');
  t.ok(saidMs <= claimsOf(token ?? '').exp * 1_000 + 1_000, 'it is renewed in time, on a machine whose clock is right');
});

atUpstreams('a key that is not valid is our failure, not the caller’s', async (t, upstream) => {
  const { url, appKey } = await brokerFor(t, { ...upstream, apiKey: 'sk_car_wrong' }, 'direct');
  const refused = await call({ url, credential: appKey }, '/access-token', { json: {} });
  t.equal(refused.status, 502);
  t.match(await refused.json(), { error_code: 'upstream_rejected', source: 'broker' });
});
