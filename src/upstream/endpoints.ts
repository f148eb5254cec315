// The only list of Cartesia's endpoints. The broker carries those that have a row here and no others.
import type { Grant } from '../config/grant.ts';

/** The form of the request and of its response. */
export type Transport =
  /** JSON in, an audio stream out. */
  | 'bytes'
  /** JSON in, server-sent events out. */
  | 'sse'
  /** A form with a file in, JSON out. */
  | 'multipart'
  /** Nothing in, JSON out. */
  | 'read';

/** The unit in which a request is billed, and therefore metered. */
export type CostUnit = 'characters' | 'audio_seconds' | 'none';

/** Which of the account's concurrency limits it counts against. */
export type ConcurrencyKind = 'tts' | 'stt' | 'none';

export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** Exact, in the syntax of Fastify's router; `:id` stands for one validated id. */
  readonly path: string;
  /** `null`: upstream has no grant for it; it is offered to client apps whose `reads` is on. */
  readonly grant: Grant | null;
  readonly transport: Transport;
  readonly cost: CostUnit;
  readonly concurrency: ConcurrencyKind;
  /** Largest request body, bytes. */
  readonly bodyMaxBytes: number;
  readonly deadlines: Deadlines;
  readonly summary: string;
}

/** Milliseconds. */
export interface Deadlines {
  /** From the request to upstream's status line. */
  readonly headMs: number;
  /** Between two pieces of the response, while the client keeps up with reading. */
  readonly idleMs: number;
  /** From the request to the end of the response. */
  readonly totalMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECONDS = 1000;

/** Cartesia publishes no limit for a transcript; this is about an hour of speech. */
const GENERATION_MAX_BYTES = 256 * KIB;
/** A long recording; the upstream's own limit is 2 GB. */
const UPLOAD_MAX_BYTES = 512 * MIB;

const GENERATION: Deadlines = { headMs: 30 * SECONDS, idleMs: 30 * SECONDS, totalMs: 600 * SECONDS };
const UPLOAD: Deadlines = { headMs: 300 * SECONDS, idleMs: 60 * SECONDS, totalMs: 900 * SECONDS };
const READ: Deadlines = { headMs: 10 * SECONDS, idleMs: 10 * SECONDS, totalMs: 30 * SECONDS };

/**
 * Methods and paths as published. Endpoints that spend money or change state and are open to the API key alone never belong here, even
 * where they share a prefix with these rows.
 * @see https://docs.cartesia.ai/api-reference
 */
export const ENDPOINTS: readonly Endpoint[] = [
  {
    method: 'POST',
    path: '/tts/bytes',
    grant: 'tts',
    transport: 'bytes',
    cost: 'characters',
    concurrency: 'tts',
    bodyMaxBytes: GENERATION_MAX_BYTES,
    deadlines: GENERATION,
    summary: 'Text to speech, as an audio stream',
  },
  {
    method: 'POST',
    path: '/tts/sse',
    grant: 'tts',
    transport: 'sse',
    cost: 'characters',
    concurrency: 'tts',
    bodyMaxBytes: GENERATION_MAX_BYTES,
    deadlines: GENERATION,
    summary: 'Text to speech, as server-sent events',
  },
  {
    method: 'POST',
    path: '/stt',
    grant: 'stt',
    transport: 'multipart',
    cost: 'audio_seconds',
    concurrency: 'stt',
    bodyMaxBytes: UPLOAD_MAX_BYTES,
    deadlines: UPLOAD,
    summary: 'Speech to text of a file',
  },
  {
    method: 'POST',
    path: '/audio/transcriptions',
    grant: 'stt',
    transport: 'multipart',
    cost: 'audio_seconds',
    concurrency: 'stt',
    bodyMaxBytes: UPLOAD_MAX_BYTES,
    deadlines: UPLOAD,
    summary: 'Speech to text of a file, in the format of OpenAI',
  },
  {
    method: 'GET',
    path: '/voices',
    grant: null,
    transport: 'read',
    cost: 'none',
    concurrency: 'none',
    bodyMaxBytes: 0,
    deadlines: READ,
    summary: 'The voices of the account',
  },
  {
    method: 'GET',
    path: '/voices/:id',
    grant: null,
    transport: 'read',
    cost: 'none',
    concurrency: 'none',
    bodyMaxBytes: 0,
    deadlines: READ,
    summary: 'One voice',
  },
  {
    method: 'GET',
    path: '/accents',
    grant: null,
    transport: 'read',
    cost: 'none',
    concurrency: 'none',
    bodyMaxBytes: 0,
    deadlines: READ,
    summary: 'The catalogue of accents',
  },
];

/** The protocol spoken on a socket. */
export type SocketKind = 'tts' | 'stt' | 'stt_turns' | 'agent_line' | 'agent_managed';

/** What counts against the account's limits: `tts` = each generation and the socket itself; `stt`, `agent` = the socket's stream or call. */
export type SocketConcurrency = 'tts' | 'stt' | 'agent';

/** What a client must send to keep a socket from being idle: audio, any message, or any message or ping. */
export type SignOfLife = 'audio' | 'message' | 'message_or_ping';

/** A WebSocket endpoint. */
export interface SocketEndpoint {
  /** As in `Endpoint`. */
  readonly path: string;
  readonly grant: Grant;
  readonly kind: SocketKind;
  readonly concurrency: SocketConcurrency;
  /** Milliseconds. Shorter than upstream's own limit, so that the broker ends the socket and knows why. */
  readonly idleMs: number;
  /** What upstream counts as one. */
  readonly signOfLife: SignOfLife;
  readonly summary: string;
}

/**
 * Upstream closes idle sockets after 5 minutes (speech), 3 minutes without audio (transcription), 180 s and 120 s (agents).
 * @see https://docs.cartesia.ai/use-the-api/concurrency-limits-and-timeouts
 */
export const SOCKET_ENDPOINTS: readonly SocketEndpoint[] = [
  {
    path: '/tts/websocket',
    grant: 'tts',
    kind: 'tts',
    concurrency: 'tts',
    idleMs: 290 * SECONDS,
    signOfLife: 'message',
    summary: 'Text to speech, in contexts on a WebSocket',
  },
  {
    path: '/stt/websocket',
    grant: 'stt',
    kind: 'stt',
    concurrency: 'stt',
    idleMs: 170 * SECONDS,
    signOfLife: 'audio',
    summary: 'Speech to text, as you speak',
  },
  {
    path: '/stt/turns/websocket',
    grant: 'stt',
    kind: 'stt_turns',
    concurrency: 'stt',
    idleMs: 170 * SECONDS,
    signOfLife: 'audio',
    summary: 'Speech to text, turn by turn',
  },
  {
    path: '/agents/stream/:id',
    grant: 'agent',
    kind: 'agent_line',
    concurrency: 'agent',
    idleMs: 170 * SECONDS,
    signOfLife: 'message_or_ping',
    summary: 'A call with a Line agent',
  },
  {
    path: '/v1/agents/websocket/:id',
    grant: 'agent',
    kind: 'agent_managed',
    concurrency: 'agent',
    idleMs: 115 * SECONDS,
    signOfLife: 'message',
    summary: 'A call with a managed agent',
  },
];

/** Cartesia's ids: UUIDs, and names of letters, digits, `_` and `-`. Anything else is refused before a path is built. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

export function isId(text: string): boolean {
  return ID.test(text);
}

/**
 * The upstream path of an endpoint.
 * @param id the value for `:id`; ignored if the path has none
 * @returns `null` if the id is missing or not valid
 */
export function upstreamPath(endpoint: Pick<Endpoint, 'path'>, id: string | undefined): string | null {
  if (!endpoint.path.includes(':id')) return endpoint.path;
  return id !== undefined && isId(id) ? endpoint.path.replace(':id', id) : null;
}
