// The simulated endpoints POST /stt and POST /audio/transcriptions.

import { CREDIT_COST } from '../credits.ts';
import { isLanguage } from '../languages.ts';
import { problem } from '../problems.ts';
import { isSttModel } from '../stt/models.ts';
import { transcribeUpload, type UploadTranscript } from '../stt/upload.ts';
import { isBefore } from '../version.ts';
import { booked } from './booked.ts';
import type { Exchange } from './exchange.ts';
import { type Form, readForm } from './multipart.ts';
import { type BodyRead, invalid } from './request-body.ts';
import type { Route } from './router.ts';

/** Transcribes a recording. The response has a `type` since 2026-03-01 (the exact version is undocumented). */
export const sttRoute: Route = {
  method: 'POST',
  path: '/stt',
  requires: 'stt',
  handle: (exchange) => transcribeForm(exchange, sttAnswer),
};

/** The same under OpenAI's names. @see https://platform.openai.com/docs/api-reference/audio/createTranscription */
export const transcriptionsRoute: Route = {
  method: 'POST',
  path: '/audio/transcriptions',
  requires: 'stt',
  handle: (exchange) => transcribeForm(exchange, openAiAnswer),
};

type Answer = (exchange: Exchange, form: Form, transcript: UploadTranscript) => Promise<void>;

function transcribeForm(exchange: Exchange, answer: Answer): Promise<void> {
  const { latency } = exchange.world.settings;
  return booked(exchange, 'stt', async ({ pay, release }) => {
    const heard = await hear(exchange);
    if (heard.outcome === 'refused') {
      release();
      return exchange.sendProblem(heard.problem);
    }
    const { form, transcript } = heard.value;
    if (!(await pay(transcript.seconds * CREDIT_COST.sttBatchPerSecond))) return;
    await exchange.delay(latency.firstByteMs);
    release();
    await answer(exchange, form, transcript);
  });
}

async function hear(
  exchange: Exchange,
): Promise<BodyRead<{ readonly form: Form; readonly transcript: UploadTranscript }>> {
  const form = await readForm(exchange);
  if (form.outcome === 'refused') return form;
  const refusal = checkForm(exchange, form.value);
  if (refusal !== null) return refusal;
  const raw = { encoding: exchange.query.get('encoding'), sampleRate: exchange.query.get('sample_rate') };
  const transcript = await transcribeUpload(form.value.files['file'] ?? Buffer.alloc(0), raw, exchange.signal);
  if (transcript === null) {
    const message = 'The audio format is not supported: the simulator reads WAV, MP3 and raw PCM.';
    const unsupported = problem(exchange.world.settings, 'unsupported_audio_format', { message });
    return { outcome: 'refused', problem: unsupported };
  }
  return { outcome: 'read', value: { form: form.value, transcript } };
}

function checkForm(
  exchange: Exchange,
  { fields, files }: Form,
): Extract<BodyRead<never>, { outcome: 'refused' }> | null {
  const { settings } = exchange.world;
  if (files['file'] === undefined) return invalid(exchange, '✖ Required\n  → at file');
  const model = fields['model'];
  if (model === undefined) return invalid(exchange, '✖ Required\n  → at model');
  if (!isSttModel(model, 'upload')) return { outcome: 'refused', problem: problem(settings, 'model_not_found') };
  const { language } = fields;
  if (language === undefined || isLanguage(language)) return null;
  return { outcome: 'refused', problem: problem(settings, 'language_not_supported') };
}

const sttAnswer: Answer = (exchange, form, { text, words, seconds }) => {
  const { version, requestId } = exchange;
  const typed = isBefore(version, '2026-03-01') ? {} : { type: 'transcript', request_id: requestId };
  const language = form.fields['language'] ?? 'en';
  const timings = form.all('timestamp_granularities').includes('word') ? { words } : {};
  return exchange.sendJson(200, { ...typed, text, language, duration: rounded(seconds), ...timings });
};

const openAiAnswer: Answer = (exchange, form, { text, words, seconds }) => {
  const { response_format: format, language = 'en' } = form.fields;
  if (format === 'text') return exchange.send(200, `${text}\n`, { 'content-type': 'text/plain; charset=utf-8' });
  const granularities = form.all('timestamp_granularities');
  const timings = granularities.includes('word') ? { words } : {};
  if (format !== 'verbose_json') return exchange.sendJson(200, { text, ...timings });
  return exchange.sendJson(200, { task: 'transcribe', language, duration: rounded(seconds), text, ...timings });
};

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
