// What can be changed about the simulated Cartesia, before it starts and while it runs.

import { PROBLEMS, type ProblemName } from './problems.ts';

export const PLANS = ['free', 'pro', 'startup', 'scale'] as const;
export type Plan = (typeof PLANS)[number];

export const GRANTS = ['tts', 'stt', 'agent'] as const;
/** What an access token permits: one flag for each family of endpoints. */
export type Grants = Record<(typeof GRANTS)[number], boolean>;

/** How many of each kind may be open at once over the whole account. */
export interface PlanLimits {
  /** Generations: a request, or a context with work on a socket. */
  tts: number;
  /** Batch requests and open STT sockets. */
  stt: number;
  /** Agent calls. Not published by Cartesia; the numbers are a third party's. */
  agents: number;
  /** TTS WebSocket connections, idle ones included: ten times `tts`. */
  ttsSockets: number;
}

/** @see https://docs.cartesia.ai/use-the-api/concurrency-limits-and-timeouts */
export const PLAN_LIMITS: Readonly<Record<Plan, Readonly<PlanLimits>>> = {
  free: { tts: 2, stt: 8, agents: 1, ttsSockets: 20 },
  pro: { tts: 3, stt: 12, agents: 3, ttsSockets: 30 },
  startup: { tts: 5, stt: 20, agents: 5, ttsSockets: 50 },
  scale: { tts: 15, stt: 60, agents: 10, ttsSockets: 150 },
};

/**
 * Every setting, mutable at run time: a change takes effect with the next request or message.
 * Where Cartesia documents nothing, the default is the most likely behaviour, and the field says so.
 */
export interface Settings {
  /** Informative once running: change it with `configure({ plan })`, which also sets `limits`. */
  plan: Plan;
  limits: PlanLimits;
  /** Credits left on the account; null = unlimited. Characters and audio seconds spend them. */
  credits: number | null;
  /** Standard keys (`sk_car_…`). All of them belong to one account and share its limits. */
  apiKeys: string[];
  /** Admin keys (`sk_car_admin_…`): only for usage, keys and organisations. */
  adminKeys: string[];
  /** Added delays in milliseconds. */
  latency: {
    /** After the TCP accept, before anything is read. */
    connectMs: number;
    /** Before a token is returned; 400 to 1,200 were observed on the real service. */
    mintMs: number;
    /** Before the first byte of a response or the first event of a generation. */
    firstByteMs: number;
    /** Between two audio chunks. */
    perChunkMs: number;
  };
  versions: {
    /** The version that `GET /` returns. */
    latest: string;
    /** The first version with structured errors. */
    structuredSince: string;
    /** Undocumented: the error format of a request that names no version. */
    structuredWithoutVersion: boolean;
  };
  tokens: {
    /** Undocumented: the lifetime of a token if `expires_in` is missing or null. */
    defaultSeconds: number;
    maximumSeconds: number;
    /** Undocumented: the grants of a token if none was asked for. */
    grantsWhenOmitted: Grants;
  };
  credentials: {
    /** Undocumented: what happens when one request carries several credentials that differ. */
    several: 'refuse' | 'first';
  };
  /** The status of each error; some are not documented by Cartesia. */
  errorStatuses: Record<ProblemName, number>;
  voices: {
    /** `speak`: any UUID is a voice, so that an app's own voices work; `refuse`: only listed ones. */
    unknown: 'speak' | 'refuse';
  };
  sse: {
    /** `data`: `data:` lines only; `error_event`: errors also have an `event:` line; `event`: all events have one. */
    framing: 'data' | 'error_event' | 'event';
    lineEnd: 'lf' | 'crlf';
  };
  /** Bytes of raw audio in one chunk. 16,384 was observed on the real service. */
  chunkBytes: number;
  /** Request bodies and socket messages of more bytes are refused. Cartesia publishes none of these limits. */
  sizes: { jsonBytes: number; uploadBytes: number; messageBytes: number };
  /** Milliseconds after which an idle socket is closed. */
  idle: {
    ttsMs: number;
    sttMs: number;
    agentLineMs: number;
    agentManagedMs: number;
    /** The first message of a managed agent's socket has to come within this time. */
    agentFirstMessageMs: number;
    /** A context ends this long after its last audio. */
    contextMs: number;
  };
  sockets: {
    /** Undocumented: whether a bad credential refuses the upgrade or leads to an `error` event before the close. */
    badCredential: 'upgrade' | 'event';
    /** Undocumented: the same for an STT socket beyond the plan's limit. */
    sttLimit: 'upgrade' | 'event';
    /** Whether a generation must name its context. Optional in older documentation, refused by the live service. */
    contextIdRequired: boolean;
    /** A cancel does not stop the generation under way at once: this many of its chunks still come. */
    chunksAfterCancel: number;
    /** Undocumented: whether a cancelled context ends with `done`. */
    doneAfterCancel: boolean;
  };
  agents: {
    /** What the agent says first. If empty, it waits for the user. */
    introduction: string;
    /** Dynamic variables without which a call does not begin (managed agents). */
    requiredVariables: string[];
  };
  /** Whether pages of any origin may call (undocumented; the browser guide implies it). */
  cors: boolean;
  journal: {
    /** Beyond this number the oldest entries are dropped. */
    maximumEntries: number;
    /** Bytes of a request body or a frame that are kept as text. */
    textBytes: number;
    /** Turned off for load tests: frames are then counted but not kept. */
    frames: boolean;
    /** Memory for the frames of all entries together. Beyond it the oldest frames are forgotten; their bytes stay counted. */
    frameBytes: number;
    /** Memory for the bodies of all entries together. Beyond it the oldest bodies are dropped. */
    bodyBytes: number;
  };
}

/** Fresh settings with the defaults of a plan. */
export function defaultSettings(plan: Plan = 'startup'): Settings {
  return {
    plan,
    limits: { ...PLAN_LIMITS[plan] },
    credits: null,
    apiKeys: ['sk_car_simulated'],
    adminKeys: ['sk_car_admin_simulated'],
    latency: { connectMs: 0, mintMs: 0, firstByteMs: 0, perChunkMs: 0 },
    versions: { latest: '2026-08-14', structuredSince: '2026-03-01', structuredWithoutVersion: false },
    tokens: {
      defaultSeconds: 3600,
      maximumSeconds: 3600,
      grantsWhenOmitted: { tts: false, stt: false, agent: false },
    },
    credentials: { several: 'refuse' },
    errorStatuses: Object.fromEntries(
      Object.entries(PROBLEMS).map(([name, { status }]) => [name, status]),
    ) as Settings['errorStatuses'],
    voices: { unknown: 'speak' },
    sse: { framing: 'data', lineEnd: 'lf' },
    chunkBytes: 16_384,
    sizes: { jsonBytes: 1024 * 1024, uploadBytes: 64 * 1024 * 1024, messageBytes: 1024 * 1024 },
    idle: {
      ttsMs: 300_000,
      sttMs: 180_000,
      agentLineMs: 180_000,
      agentManagedMs: 120_000,
      agentFirstMessageMs: 10_000,
      contextMs: 1_000,
    },
    sockets: {
      badCredential: 'upgrade',
      sttLimit: 'upgrade',
      contextIdRequired: true,
      chunksAfterCancel: 2,
      doneAfterCancel: true,
    },
    agents: { introduction: 'Hello, how can I help?', requiredVariables: [] },
    cors: true,
    journal: {
      maximumEntries: 10_000,
      textBytes: 64 * 1024,
      frames: true,
      frameBytes: 64 * 1024 * 1024,
      bodyBytes: 64 * 1024 * 1024,
    },
  };
}
