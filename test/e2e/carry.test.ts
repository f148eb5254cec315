import { createHash, randomBytes } from 'node:crypto';
import { Cartesia } from '@cartesia/cartesia-js';
import { test } from 'tap';
import { startRunningBroker } from './running-broker.ts';

const PROXIED = { DELIVERY: 'proxied', TOKEN_SIGNING_SECRET: randomBytes(32).toString('base64url'), GRANTS: 'tts,stt' };
const SPEECH = {
  model_id: 'sonic-3',
  transcript: 'The quick brown fox jumps over the lazy dog.',
  voice: { id: '6ccbfb76-1fc6-48f7-b71d-91ac6298247b' },
  output_format: { container: 'wav', encoding: 'pcm_s16le', sample_rate: 24_000 },
} as const;

async function sha256(response: Response): Promise<string> {
  return createHash('sha256')
    .update(new Uint8Array(await response.arrayBuffer()))
    .digest('hex');
}

test('given only a token and a base URL of a proxied mint, the SDK speaks and listens byte for byte as at Cartesia', async (t) => {
  const { broker, simulator, appKey } = await startRunningBroker(t, { env: PROXIED });
  const minted = (await new Cartesia({ apiKey: appKey, baseURL: broker.url }).accessToken.create({
    grants: { tts: true, stt: true },
    expires_in: 60,
  })) as unknown as { token: string; base_url: string; delivery: string };
  t.equal(minted.delivery, 'proxied');
  t.equal(minted.base_url, broker.url);

  const carried = new Cartesia({ token: minted.token, baseURL: minted.base_url });
  const direct = new Cartesia({ apiKey: simulator.apiKey, baseURL: simulator.url });
  t.equal(await sha256(await carried.tts.generate(SPEECH)), await sha256(await direct.tts.generate(SPEECH)));

  const events = async (client: Cartesia): Promise<string[]> => {
    const list: string[] = [];
    const stream = await client.tts.generateSSE({
      ...SPEECH,
      output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 },
    });
    for await (const event of stream) list.push(event.type === 'chunk' ? `chunk ${event.data}` : event.type);
    return list;
  };
  t.strictSame(await events(carried), await events(direct));
});
