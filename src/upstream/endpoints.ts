// The only list of Cartesia's paths. What has a row here can be carried; everything else does not exist.
import type { Grant } from '../config/grant.ts';

/** How the request travels and what comes back. */
export type Transport =
  /** JSON in, an audio stream out. */
  | 'bytes'
  /** JSON in, server-sent events out. */
  | 'sse'
  /** A form with a file in, JSON out. */
  | 'multipart'
  /** Nothing in, JSON out. */
  | 'read';

/** What a request is billed by, and so metered in. */
export type CostUnit = 'characters' | 'audio_seconds' | 'none';

/** Which of the account's concurrency limits it counts against. */
export type ConcurrencyKind = 'tts' | 'stt' | 'none';

export interface Endpoint {
  readonly method: 'GET' | 'POST';
  /** Exact, in the form of Fastify's router; `:id` stands for one validated id. */
  readonly path: string;
  /** `null`: upstream has no grant for it; offered where the client app's `reads` is on. */
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
  /** Between two pieces of the answer, while its reader keeps up. */
  readonly idleMs: number;
  /** Everything. */
  readonly totalMs: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECONDS = 1000;

/** Cartesia publishes no limit for a transcript; this is an hour of speech. */
const GENERATION_MAX_BYTES = 256 * KIB;
/** A long recording; the upstream's own limit is 2 GB. */
const UPLOAD_MAX_BYTES = 512 * MIB;

const GENERATION: Deadlines = { headMs: 30 * SECONDS, idleMs: 30 * SECONDS, totalMs: 600 * SECONDS };
const UPLOAD: Deadlines = { headMs: 300 * SECONDS, idleMs: 60 * SECONDS, totalMs: 900 * SECONDS };
const READ: Deadlines = { headMs: 10 * SECONDS, idleMs: 10 * SECONDS, totalMs: 30 * SECONDS };

/**
 * Methods and paths as published; never here: anything that costs money or changes state by key alone, although it shares
 * prefixes with these rows.
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
    summary: 'Speech to text of a file, in the form of OpenAI',
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

/** What is spoken on a socket. */
export type SocketKind = 'tts' | 'stt' | 'stt_turns' | 'agent_line' | 'agent_managed';

/** What is counted against the account: each generation and the socket itself, or the stream or call that the socket is. */
export type SocketConcurrency = 'tts' | 'stt' | 'agent';

/** Of what a client sends: audio alone, any message, or pings too. */
export type SignOfLife = 'audio' | 'message' | 'message_or_ping';

/** A row of a WebSocket. */
export interface SocketEndpoint {
  /** As in `Endpoint`. */
  readonly path: string;
  readonly grant: Grant;
  readonly kind: SocketKind;
  readonly concurrency: SocketConcurrency;
  /** Shorter than upstream's own limit, so that it is us who end it and know why. Milliseconds. */
  readonly idleMs: number;
  /** What upstream takes for one. */
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

/** Ids as Cartesia makes them: UUIDs, and names of letters, digits, `_` and `-`. Anything else is refused before a path is built. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

export function isId(text: string): boolean {
  return ID.test(text);
}

/**
 * The upstream path of a row.
 * @param id what stood for `:id`; ignored by rows without one
 * @returns `null` when the id is not one
 */
export function upstreamPath(endpoint: Pick<Endpoint, 'path'>, id: string | undefined): string | null {
  if (!endpoint.path.includes(':id')) return endpoint.path;
  return id !== undefined && isId(id) ? endpoint.path.replace(':id', id) : null;
}
