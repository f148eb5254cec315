// The simulated endpoint POST /tts/sse.

import type { PcmFormat } from '../audio/containers.ts';
import { createSpeech, type Speech } from '../audio/synthesiser.ts';
import { billedCharacters, CREDIT_COST } from '../credits.ts';
import { type GenerationRequest, readStreamedGeneration } from '../tts/generation-request.ts';
import { phonemeTimestamps, wordTimestamps } from '../tts/timestamps.ts';
import { booked } from './booked.ts';
import { EventStream } from './event-stream.ts';
import type { Exchange } from './exchange.ts';
import { readJson } from './request-body.ts';
import type { Route } from './router.ts';

/** Generates speech as events: chunks in base64, timestamps if asked for, and `done`. Raw audio only. */
export const ttsSseRoute: Route = { method: 'POST', path: '/tts/sse', requires: 'tts', handle: answer };

async function answer(exchange: Exchange): Promise<void> {
  const { world, version } = exchange;
  const body = await readJson(exchange);
  if (body.outcome === 'refused') return exchange.sendProblem(body.problem);
  const generation = readStreamedGeneration(world, body.value, { version, allowEmptyTranscript: false });
  if (generation.outcome === 'refused') return exchange.sendProblem(generation.problem);
  const { value: request } = generation;
  await booked(exchange, 'tts', async ({ pay, release }) => {
    if (!(await pay(billedCharacters(request.transcript) * CREDIT_COST.ttsPerCharacter))) return;
    await exchange.delay(world.settings.latency.firstByteMs);
    const events = new EventStream(exchange, { contextId: request.contextId ?? undefined, beforeEnd: release });
    events.start();
    await speakInEvents(exchange, events, request);
  });
}

async function speakInEvents(
  exchange: Exchange,
  events: EventStream,
  request: GenerationRequest<PcmFormat>,
): Promise<void> {
  const { sampleRate, encoding } = request.format;
  const { latency, chunkBytes } = exchange.world.settings;
  const context = request.contextId === null ? {} : { context_id: request.contextId };
  const base = { done: false, status_code: 206 };
  const speech = createSpeech({ ...request, sampleRate, encoding });
  const score = speech.say(request.transcript);
  speech.finish();
  if (!(await events.send(chunkEvent(speech, chunkBytes, context)))) return;
  const timings = [
    ...(request.wordTimestamps
      ? [{ type: 'timestamps', ...base, ...context, word_timestamps: wordTimestamps(score) }]
      : []),
    ...(request.phonemeTimestamps
      ? [{ type: 'phoneme_timestamps', ...base, ...context, phoneme_timestamps: phonemeTimestamps(score) }]
      : []),
  ];
  for (const event of timings) if (!(await events.send(event))) return;
  while (speech.pendingBytes > 0) {
    await exchange.pause(latency.perChunkMs);
    if (!(await events.send(chunkEvent(speech, chunkBytes, context)))) return;
  }
  await events.finish({ type: 'done', done: true, status_code: 206, ...context });
}

function chunkEvent(speech: Speech, chunkBytes: number, context: object): Readonly<Record<string, unknown>> {
  const began = performance.now();
  const data = speech.read(chunkBytes).toString('base64');
  const step_time = Math.round((performance.now() - began) * 1000) / 1000;
  return { type: 'chunk', done: false, status_code: 206, step_time, ...context, data };
}
