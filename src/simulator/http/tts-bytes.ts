// The simulated endpoint POST /tts/bytes.

import { CONTENT_TYPES, type SpeakRequest, speak } from '../audio/containers.ts';
import { billedCharacters, CREDIT_COST } from '../credits.ts';
import { readGeneration } from '../tts/generation-request.ts';
import { type Booking, booked } from './booked.ts';
import type { Exchange } from './exchange.ts';
import { readJson } from './request-body.ts';
import type { Route } from './router.ts';

/** Generates speech as a stream of bytes in any container. */
export const ttsBytesRoute: Route = { method: 'POST', path: '/tts/bytes', requires: 'tts', handle: answer };

async function answer(exchange: Exchange): Promise<void> {
  const { world, version } = exchange;
  const body = await readJson(exchange);
  if (body.outcome === 'refused') return exchange.sendProblem(body.problem);
  const generation = readGeneration(world, body.value, {
    version,
    allowEmptyTranscript: false,
  });
  if (generation.outcome === 'refused') return exchange.sendProblem(generation.problem);
  const { value } = generation;
  await booked(exchange, 'tts', async (booking) => {
    if (!(await booking.pay(billedCharacters(value.transcript) * CREDIT_COST.ttsPerCharacter))) return;
    await sendSpeech(exchange, booking, { ...value, chunkBytes: world.settings.chunkBytes });
  });
}

/** Sends speech as the response, chunk by chunk at the pace of the latency settings. */
export async function sendSpeech(exchange: Exchange, booking: Booking, request: SpeakRequest): Promise<void> {
  const { latency } = exchange.world.settings;
  await exchange.delay(latency.firstByteMs);
  exchange.start(200, { 'content-type': CONTENT_TYPES[request.format.container] });
  let first = true;
  for await (const piece of speak(request)) {
    if (!first) await exchange.pause(latency.perChunkMs);
    first = false;
    await exchange.write(piece);
  }
  booking.release();
  await exchange.end();
}
