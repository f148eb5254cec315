// POST /tts/bytes

import { CONTENT_TYPES, speak } from '../audio/containers.ts';
import { billedCharacters, CREDIT_COST } from '../credits.ts';
import { problem } from '../problems.ts';
import { type GenerationRequest, readGeneration } from '../tts/generation-request.ts';
import type { Exchange } from './exchange.ts';
import { readJson } from './request-body.ts';
import type { Route } from './router.ts';

/** Speech as a stream of bytes in any container. */
export const ttsBytesRoute: Route = { method: 'POST', path: '/tts/bytes', requires: 'tts', handle: answer };

async function answer(exchange: Exchange): Promise<void> {
  const { world, version } = exchange;
  const body = await readJson(exchange);
  if (body.outcome === 'refused') return exchange.sendProblem(body.problem);
  const generation = readGeneration(world, body.value, {
    version,
    containers: ['raw', 'wav', 'mp3'],
    allowEmptyTranscript: false,
  });
  if (generation.outcome === 'refused') return exchange.sendProblem(generation.problem);
  const slot = world.concurrency.take('tts');
  if (slot === null) return exchange.sendProblem(problem(world.settings, 'concurrency_limited'));
  try {
    const cost = billedCharacters(generation.value.transcript) * CREDIT_COST.ttsPerCharacter;
    if (!world.credits.spend(cost)) return await exchange.sendProblem(problem(world.settings, 'quota_exceeded'));
    await stream(exchange, generation.value);
    // Before the last byte: a client that has seen the end may begin the next request at once.
    slot.release();
    await exchange.end();
  } finally {
    slot.release();
  }
}

async function stream(
  exchange: Exchange,
  { format, transcript, voiceId, speed, volume }: GenerationRequest,
): Promise<void> {
  const { latency, chunkBytes } = exchange.world.settings;
  await exchange.delay(latency.firstByteMs);
  exchange.start(200, { 'content-type': CONTENT_TYPES[format.container] });
  let first = true;
  for await (const piece of speak({ transcript, voiceId, format, speed, volume, chunkBytes })) {
    if (!first) await exchange.delay(latency.perChunkMs);
    first = false;
    await exchange.write(piece);
  }
}
