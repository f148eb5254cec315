// Notes on the carried Cartesia endpoints: what they take and return, as far as an app needs it to begin.
import type { ProblemCode } from '../../../src/errors/problems.ts';
import type { MediaType, Schema } from '../../../src/reference/openapi-document.ts';
import type { EndpointNotes } from './notes.ts';

const VOICE = '6ccbfb76-1fc6-48f7-b71d-91ac6298247b';

const PROBLEMS_OF_ALL: readonly ProblemCode[] = [
  'invalid_version',
  'unauthenticated',
  'token_expired',
  'token_revoked',
  'endpoint_not_allowed',
  'origin_not_allowed',
  'subject_not_allowed',
  'https_required',
  'not_found', // `PROXY` is off
  'rate_limited',
  'upstream_unavailable',
  'upstream_rejected',
  'upstream_timeout',
  'store_unavailable',
  'overloaded',
  'draining',
];
const PROBLEMS_OF_WORK: readonly ProblemCode[] = [
  ...PROBLEMS_OF_ALL,
  'content_not_allowed',
  'quota_exceeded',
  'concurrency_limited',
  'payload_too_large',
  'unsupported_media_type',
];

const OTHER_FAILURES =
  "A failure of Cartesia's with another status, passed on: `source` is `upstream`. The statuses above can be Cartesia's too.";

const HEADERS = ['cache-control', 'cartesia-request-id', 'x-accel-buffering'];
const PARAMETERS = ['CartesiaVersionCarried', 'BrokerSubject'];

const text = (description: string): Schema => ({ type: 'string', description });

const SPEECH_REQUEST: Schema = {
  type: 'object',
  description: 'Passed on unchanged, including fields that are not listed here.',
  required: ['model_id', 'transcript', 'voice', 'output_format'],
  properties: {
    model_id: text('The model, such as `sonic-3`.'),
    transcript: text('The text to speak. Each of its characters is counted.'),
    voice: {
      description: 'The id of a voice, or an object that holds it.',
      anyOf: [
        { type: 'string' },
        { type: 'object', properties: { id: { type: 'string' } }, additionalProperties: true },
      ],
    },
    output_format: {
      type: 'object',
      description: 'Event streams accept only the container `raw`.',
      required: ['container', 'sample_rate'],
      properties: {
        container: { type: 'string', enum: ['raw', 'wav', 'mp3'] },
        encoding: text('`pcm_s16le`, `pcm_f32le`, `pcm_mulaw` or `pcm_alaw`; not for mp3.'),
        sample_rate: { type: 'integer', description: 'Samples per second.', minimum: 8000, maximum: 48_000 },
        bit_rate: { type: 'integer', description: 'Bits per second; mp3 only.' },
      },
      additionalProperties: true,
    },
    language: text('A language, such as `en`. Set this or `locale`.'),
    locale: text('A locale, such as `en-GB`.'),
    context_id: text('Repeated in events, including errors.'),
    add_timestamps: { type: 'boolean', description: 'Event streams only: adds the times of words.' },
  },
  additionalProperties: true,
};

const SPEECH_BODY: Readonly<Record<string, MediaType>> = {
  'application/json': {
    schema: SPEECH_REQUEST,
    examples: {
      speech: {
        summary: 'A sentence',
        value: {
          model_id: 'sonic-3',
          transcript: 'Hello from the broker.',
          voice: { id: VOICE },
          output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 },
        },
      },
    },
  },
};

const FORM: Readonly<Record<string, MediaType>> = {
  'multipart/form-data': {
    schema: {
      type: 'object',
      description: 'Passed on byte for byte.',
      required: ['file', 'model'],
      properties: {
        file: { type: 'string', format: 'binary', description: 'The recording.' },
        model: text('The model, such as `ink-whisper`.'),
        language: text('The language that is spoken.'),
        'timestamp_granularities[]': {
          type: 'array',
          description: 'Adds the times of words to the transcript.',
          items: { type: 'string', enum: ['word'] },
        },
      },
      additionalProperties: true,
    },
  },
};

const TRANSCRIPT: Schema = {
  type: 'object',
  required: ['text'],
  properties: {
    text: text('What was said.'),
    duration: { type: 'number', description: 'Seconds of audio, which are what is counted.' },
  },
  additionalProperties: true,
};

const json = (schema: Schema): Readonly<Record<string, MediaType>> => ({ 'application/json': { schema } });
const ANY_OBJECT: Schema = { type: 'object', additionalProperties: true };

const READ = 'Only for client apps with `reads: true`. Needs no grant.';

export const CARRIED_NOTES: Readonly<Record<string, EndpointNotes>> = {
  post_tts_bytes: {
    credential: 'required',
    description:
      'The audio is sent in chunks as it is generated. A body that breaks off is an error, whatever the status says; the SDKs throw.',
    parameters: PARAMETERS,
    body: SPEECH_BODY,
    answer: {
      description: 'Audio in the format that was asked for.',
      content: { 'audio/*': { schema: { type: 'string', format: 'binary' } } },
      headers: [...HEADERS, 'cartesia-file-id', 'content-disposition'],
    },
    problems: PROBLEMS_OF_WORK,
    otherFailures: OTHER_FAILURES,
    samples: [
      {
        lang: 'Shell',
        label: 'curl',
        source: `curl "$BASE_URL/tts/bytes" \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{"model_id": "sonic-3",
       "transcript": "Hello from the broker.",
       "voice": {"id": "${VOICE}"},
       "output_format": {"container": "wav",
         "encoding": "pcm_s16le", "sample_rate": 24000}}' \\
  -o hello.wav`,
      },
    ],
  },
  post_tts_sse: {
    credential: 'required',
    description: [
      'Events are passed on unchanged. Errors in the stream have the same form for every API version. A stream that breaks off ends with one, so the last event is always `done` or `error`.',
    ].join('\n\n'),
    parameters: PARAMETERS,
    body: SPEECH_BODY,
    answer: {
      description:
        'Events of type `chunk`, `timestamps`, `phoneme_timestamps`, `done` and `error`, each one JSON object.',
      content: {
        'text/event-stream': {
          schema: { type: 'string' },
          examples: {
            speech: {
              summary: 'The end of a stream',
              value:
                'data: {"type":"chunk","done":false,"status_code":206,"data":"AACwBPwIHAw="}\n\ndata: {"type":"done","done":true,"status_code":206}\n\n',
            },
          },
        },
      },
      headers: HEADERS,
    },
    problems: PROBLEMS_OF_WORK,
    otherFailures: OTHER_FAILURES,
  },
  post_stt: {
    credential: 'required',
    description: 'The recording is passed on while it is uploaded.',
    parameters: ['RecordingEncoding', 'RecordingSampleRate', ...PARAMETERS],
    body: FORM,
    answer: { description: 'The transcript.', content: json(TRANSCRIPT), headers: HEADERS },
    problems: PROBLEMS_OF_WORK,
    otherFailures: OTHER_FAILURES,
  },
  post_audio_transcriptions: {
    credential: 'required',
    description: "The same in the format of OpenAI's API, for clients made for it.",
    parameters: PARAMETERS,
    body: FORM,
    answer: { description: 'The transcript.', content: json(TRANSCRIPT), headers: HEADERS },
    problems: PROBLEMS_OF_WORK,
    otherFailures: OTHER_FAILURES,
  },
  get_voices: {
    credential: 'required',
    description: READ,
    parameters: [
      'PageLimit',
      'PageStartingAfter',
      'PageEndingBefore',
      'VoiceSearch',
      'VoiceGender',
      'VoiceIsOwner',
      'VoiceExpand',
      ...PARAMETERS,
    ],
    answer: { description: 'A page of voices.', content: json(ANY_OBJECT), headers: HEADERS },
    problems: PROBLEMS_OF_ALL,
    otherFailures: OTHER_FAILURES,
  },
  get_voices_id: {
    credential: 'required',
    description: READ,
    parameters: ['VoiceId', 'VoiceExpand', ...PARAMETERS],
    answer: { description: 'The voice.', content: json(ANY_OBJECT), headers: HEADERS },
    problems: PROBLEMS_OF_ALL,
    otherFailures: OTHER_FAILURES,
  },
  get_accents: {
    credential: 'required',
    description: READ,
    parameters: PARAMETERS,
    answer: { description: 'The accents.', content: json(ANY_OBJECT), headers: HEADERS },
    problems: PROBLEMS_OF_ALL,
    otherFailures: OTHER_FAILURES,
  },
};
