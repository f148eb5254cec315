// The parts of the OpenAPI document that endpoints share.
import { PROBLEMS, Problem, type ProblemCode } from '../../../src/errors/problems.ts';
import { errorBody, RETRY_AFTER_MAX_SECONDS } from '../../../src/errors/wire.ts';
import { MAX_NAMED_SUBJECT_LENGTH } from '../../../src/identity/broker-subject.ts';
import type { Example, Header, Parameter, Schema, SecurityScheme } from '../../../src/reference/openapi-document.ts';

const PROBLEM_CODES = Object.keys(PROBLEMS) as readonly ProblemCode[];

const EXAMPLE_REQUEST_ID = '0f8fad5b-d9cb-469f-a165-70867728950e';

export const SECURITY_SCHEMES: Readonly<Record<string, SecurityScheme>> = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description:
      'The usual way, also of the official SDKs (`apiKey`): a session token (JWT) of an identity provider that the broker is configured for, or an app key. Carried endpoints also accept an access token of delivery `proxied` (`token`).',
  },
  apiKey: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description:
      'The same credentials in the header that older Cartesia clients send. If it differs from the bearer token, the request is refused.',
  },
};

const VOICE = '6ccbfb76-1fc6-48f7-b71d-91ac6298247b';

/** A parameter of Cartesia's, passed on as it is. */
function query(name: string, description: string, example: unknown, schema: Schema): Parameter {
  return { name, in: 'query', required: false, description, schema, example };
}

export const PARAMETERS: Readonly<Record<string, Parameter>> = {
  CartesiaVersion: {
    name: 'Cartesia-Version',
    in: 'header',
    required: false,
    description:
      'The API version to mint with, a calendar date. If it is missing, or the operator has pinned the version, the broker sends its own (`CARTESIA_VERSION`).',
    schema: { type: 'string', format: 'date' },
    example: '2026-03-01',
  },
  CartesiaVersionCarried: {
    name: 'Cartesia-Version',
    in: 'header',
    required: false,
    description:
      'The API version that the client uses. Passed on, unless the operator has pinned one (`CARTESIA_VERSION_POLICY=pin`). If it is missing, the broker sends its own.',
    schema: { type: 'string', format: 'date' },
    example: '2026-03-01',
  },
  VoiceId: {
    name: 'id',
    in: 'path',
    required: true,
    description: 'The id of a voice.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' },
    example: VOICE,
  },
  RecordingEncoding: query('encoding', 'The encoding of a recording that is raw PCM.', 'pcm_s16le', {
    type: 'string',
  }),
  RecordingSampleRate: query('sample_rate', 'Samples per second of a recording that is raw PCM.', 16_000, {
    type: 'integer',
    minimum: 1,
  }),
  PageLimit: query('limit', 'Voices per page.', 20, { type: 'integer', minimum: 1, maximum: 100 }),
  PageStartingAfter: query('starting_after', 'The id of the voice before the page.', VOICE, { type: 'string' }),
  PageEndingBefore: query('ending_before', 'The id of the voice after the page.', VOICE, { type: 'string' }),
  VoiceSearch: query('q', 'Text in the name, description or id.', 'calm', { type: 'string' }),
  VoiceGender: query('gender', '`masculine`, `feminine` or `gender_neutral`.', 'feminine', { type: 'string' }),
  VoiceIsOwner: query('is_owner', "Only the account's own voices.", true, { type: 'boolean' }),
  VoiceExpand: query('expand[]', 'Adds `preview_file_url`.', ['preview_file_url'], {
    type: 'array',
    items: { type: 'string' },
  }),
  BrokerSubject: {
    name: 'X-Broker-Subject',
    in: 'header',
    required: false,
    description: `The user on whose behalf a backend asks, so that limits and logs are per user. Only with the app key of a client app that is marked as trusted. Printable ASCII, no space at either end.`,
    schema: {
      type: 'string',
      minLength: 1,
      maxLength: MAX_NAMED_SUBJECT_LENGTH,
      pattern: '^[\\x21-\\x7e](?:[\\x20-\\x7e]*[\\x21-\\x7e])?$',
    },
    example: 'user-42',
  },
};

const count: Schema = { type: 'integer', minimum: 0 };

export const HEADERS: Readonly<Record<string, Header>> = {
  'x-request-id': {
    description: 'The id of this request. Include it in reports.',
    schema: { type: 'string', format: 'uuid' },
  },
  'x-content-type-options': {
    description: 'Tells browsers to rely on the content type.',
    schema: { type: 'string', enum: ['nosniff'] },
  },
  'cache-control': { description: 'Whether the response may be cached.', schema: { type: 'string' } },
  'referrer-policy': {
    description: 'Tells browsers not to send this address as a referrer.',
    schema: { type: 'string', enum: ['no-referrer'] },
  },
  'cartesia-request-id': {
    description: "Cartesia's id for the request behind this one, if there was one.",
    schema: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
  },
  'cartesia-file-id': {
    description: "Cartesia's id of the file, if it was asked to keep the audio.",
    schema: { type: 'string' },
  },
  'content-disposition': { description: 'A file name, if Cartesia suggests one.', schema: { type: 'string' } },
  'content-security-policy': {
    description: 'What the page may load, which is nothing.',
    schema: { type: 'string' },
  },
  'x-accel-buffering': {
    description: 'Tells proxies in front not to buffer the response.',
    schema: { type: 'string', enum: ['no'] },
  },
  'ratelimit-limit': { description: 'Requests allowed in one window.', schema: count },
  'ratelimit-remaining': { description: 'Requests left in the current window.', schema: count },
  'ratelimit-reset': { description: 'Seconds until the next window.', schema: count },
  'retry-after': {
    description: `Seconds to wait before the next try, at most ${RETRY_AFTER_MAX_SECONDS}.`,
    schema: { type: 'integer', minimum: 1, maximum: RETRY_AFTER_MAX_SECONDS },
  },
  'x-should-retry': {
    description: 'Whether the same request can succeed later. The official SDKs obey it.',
    schema: { type: 'string', enum: ['true', 'false'] },
  },
  'www-authenticate': { description: 'The scheme to authenticate with.', schema: { type: 'string', enum: ['Bearer'] } },
};

/** On every response, success or failure. */
export const HEADERS_EVERYWHERE: readonly string[] = ['x-request-id', 'x-content-type-options'];

export const ERROR_SCHEMA: Schema = {
  type: 'object',
  description:
    'Every failure has this form: the structured error of Cartesia (API version 2026-03-01 and later), and which side failed.',
  required: ['error_code', 'title', 'message', 'request_id', 'source'],
  properties: {
    error_code: {
      description: 'The code to react to. Codes are added, never renamed. A code from Cartesia is passed on unchanged.',
      anyOf: [
        { title: 'of the broker', type: 'string', enum: PROBLEM_CODES },
        { title: 'of Cartesia', type: 'string' },
        { type: 'null' },
      ],
    },
    title: { type: 'string', description: 'Short and fixed.' },
    message: { type: 'string', description: 'For developers. The wording may change.' },
    request_id: { type: 'string', format: 'uuid', description: 'The same as in the header `x-request-id`.' },
    source: {
      type: 'string',
      enum: ['broker', 'upstream'],
      description: "Which side failed. `upstream`: the failure is Cartesia's response.",
    },
    doc_url: { type: 'string', format: 'uri', description: "Cartesia's documentation of the error." },
  },
};

/** One per error code, made by the code that makes real error bodies. */
export const ERROR_EXAMPLES: Readonly<Record<string, Example>> = Object.fromEntries(
  PROBLEM_CODES.map((code) => [
    code,
    { summary: PROBLEMS[code].when, value: errorBody(new Problem(code), EXAMPLE_REQUEST_ID) },
  ]),
);
