// The simulated endpoints POST /voice-changer/bytes, /voice-changer/sse and /infill/bytes.

import { type SpeakRequest, speak } from '../audio/containers.ts';
import { billedCharacters, CREDIT_COST } from '../credits.ts';
import { type Problem, problem } from '../problems.ts';
import { transcribeUpload } from '../stt/upload.ts';
import { readGeneration } from '../tts/generation-request.ts';
import { type Booking, booked } from './booked.ts';
import { EventStream } from './event-stream.ts';
import type { Exchange } from './exchange.ts';
import { type Form, readForm } from './multipart.ts';
import { type BodyRead, invalid } from './request-body.ts';
import type { Route } from './router.ts';
import { sendSpeech } from './tts-bytes.ts';

/** Speaks a recording again in another voice, or text between two recordings. API key only. */
export const voiceChangerRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/voice-changer/bytes',
    requires: 'api_key',
    handle: (exchange) => change(exchange, sendSpeech),
  },
  {
    method: 'POST',
    path: '/voice-changer/sse',
    requires: 'api_key',
    handle: (exchange) => change(exchange, sendEvents),
  },
  { method: 'POST', path: '/infill/bytes', requires: 'api_key', handle: infill },
];

interface PricedRequest {
  readonly request: SpeakRequest;
  readonly credits: number;
}

const INFILL_BASE_CREDITS = 300;

function change(
  exchange: Exchange,
  answer: (exchange: Exchange, booking: Booking, request: SpeakRequest) => Promise<void>,
): Promise<void> {
  return serve(exchange, answer, async (form) => {
    const clip = form.files['clip'];
    if (clip === undefined) return invalid(exchange, '✖ Required\n  → at clip');
    const heard = await transcribeUpload(clip, { encoding: null, sampleRate: null }, exchange.signal);
    if (heard === null) return refused(problem(exchange.world.settings, 'unsupported_audio_format'));
    // Nothing is recognised in a recording that this simulator did not make, but something must be spoken.
    const transcript = heard.text.trim() || '…';
    const voice = readVoice(exchange, form, { transcript, voice: form.fields['voice[id]'] });
    const credits = heard.seconds * CREDIT_COST.voiceChangerPerSecond;
    return voice.outcome === 'refused' ? voice : { outcome: 'read', value: { request: voice.value, credits } };
  });
}

function infill(exchange: Exchange): Promise<void> {
  return serve(exchange, sendSpeech, async (form) => {
    const { transcript = '', voice_id: voice } = form.fields;
    if (form.files['left_audio'] === undefined && form.files['right_audio'] === undefined) {
      return invalid(exchange, '✖ left_audio or right_audio is required');
    }
    const request = readVoice(exchange, form, { transcript, voice });
    const credits = INFILL_BASE_CREDITS + billedCharacters(transcript);
    return request.outcome === 'refused' ? request : { outcome: 'read', value: { request: request.value, credits } };
  });
}

function serve(
  exchange: Exchange,
  answer: (exchange: Exchange, booking: Booking, request: SpeakRequest) => Promise<void>,
  readRequest: (form: Form) => Promise<BodyRead<PricedRequest>>,
): Promise<void> {
  return booked(exchange, 'tts', async (booking) => {
    const form = await readForm(exchange);
    const priced = form.outcome === 'refused' ? form : await readRequest(form.value);
    if (priced.outcome === 'refused') {
      booking.release();
      return exchange.sendProblem(priced.problem);
    }
    if (await booking.pay(priced.value.credits)) await answer(exchange, booking, priced.value.request);
  });
}

/** The form's fields are those of a TTS request under other names, and are checked as such. */
function readVoice(
  exchange: Exchange,
  { fields }: Form,
  spoken: { readonly transcript: string; readonly voice: string | undefined },
): BodyRead<SpeakRequest> {
  const number = (name: string) => (fields[name] === undefined ? undefined : Number(fields[name]));
  const body = {
    model_id: fields['model_id'] ?? 'sonic-3',
    transcript: spoken.transcript,
    voice: { id: spoken.voice },
    output_format: {
      container: fields['output_format[container]'] ?? 'wav',
      encoding: fields['output_format[encoding]'] ?? 'pcm_s16le',
      sample_rate: number('output_format[sample_rate]') ?? 44_100,
      bit_rate: number('output_format[bit_rate]') ?? 128_000,
    },
  };
  const { world, version } = exchange;
  const read = readGeneration(world, body, {
    version,
    allowEmptyTranscript: false,
  });
  if (read.outcome === 'refused') return read;
  return { outcome: 'read', value: { ...read.value, chunkBytes: world.settings.chunkBytes } };
}

/** Sends events without a `type`, unlike those of TTS. */
async function sendEvents(exchange: Exchange, booking: Booking, request: SpeakRequest): Promise<void> {
  const { latency } = exchange.world.settings;
  await exchange.delay(latency.firstByteMs);
  const events = new EventStream(exchange, { beforeEnd: booking.release });
  events.start();
  let began = performance.now();
  for await (const piece of speak(request)) {
    const step_time = Math.round((performance.now() - began) * 1000) / 1000;
    const data = Buffer.from(piece).toString('base64');
    const event = { done: false, status_code: 206, step_time, data, sample_rate: request.format.sampleRate };
    if (!(await events.send(event))) return;
    await exchange.pause(latency.perChunkMs);
    began = performance.now();
  }
  await events.finish({ done: true, status_code: 200 });
}

function refused(cause: Problem): { outcome: 'refused'; problem: Problem } {
  return { outcome: 'refused', problem: cause };
}
