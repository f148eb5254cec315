// The workloads: what is done to a server, what one unit of it is, and what the broker may cost.
import type { Measurement } from './measurement.ts';
import type { NativeProgram } from './native.ts';
import { handshake, LISTENING, MINT, SMALL, speech } from './requests.ts';

/** What a goal compares: microseconds of CPU per unit, or what a server adds to the latency without a proxy. */
export type Figure = 'cpu' | 'added latency' | 'added chunk delay';

export interface Goal {
  readonly figure: Figure;
  /** A contender's name, or `BEST_PACKAGE`. */
  readonly against: string;
  /** The broker's figure divided by theirs. */
  readonly atMost: number;
}

/** The tokens of the requests: a fixed set again and again (`seen`), or each one only once. */
export type Credentials = 'seen' | 'new ES256' | 'new RS256';

export interface Workload {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly program: NativeProgram;
  readonly request: string;
  readonly settings: Readonly<Record<string, string | number>>;
  readonly credentials: Credentials;
  /** Load far below the limit: what counts is delay. Measured longer, since a second brings few samples, and at a high priority. */
  readonly isPaced?: boolean;
  unitsOf(measurement: Measurement): number;
  readonly goals: readonly Goal[];
}

const requests = ({ requests: count = 0 }: Measurement): number => count;
const chunks = ({ chunks: count = 0 }: Measurement): number => count;
const messages = ({ messages: count = 0 }: Measurement): number => count;
const cpu = (against: string, atMost: number): Goal => ({ figure: 'cpu', against, atMost });

/** In goals: the best contender of kind `package`. */
export const BEST_PACKAGE = 'the best package';

const mint = { unit: 'mint', program: 'load', request: MINT, unitsOf: requests } as const;
const carried = { program: 'load', credentials: 'seen' } as const;
const relayed = { program: 'sockets', credentials: 'seen', unitsOf: messages, unit: 'message' } as const;

/** New tokens are measured by number: the run ends when all are used, however long it takes. */
const UNTIL_USED_UP = { once: 1, warm: 0, seconds: 60 } as const;

export const MINT_WORKLOADS: readonly Workload[] = [
  {
    ...mint,
    name: 'seen',
    what: '64 connections mint for 1,000 callers whose tokens were seen before',
    credentials: 'seen',
    settings: { answers: 'minted', connections: 64 },
    goals: [cpu(BEST_PACKAGE, 0.3)],
  },
  {
    ...mint,
    name: 'new-es256',
    what: "64 connections mint, every caller's token is new and signed with ES256",
    credentials: 'new ES256',
    settings: { ...UNTIL_USED_UP, answers: 'minted', connections: 64 },
    goals: [cpu(BEST_PACKAGE, 0.6)],
  },
  {
    ...mint,
    name: 'new-rs256',
    what: "64 connections mint, every caller's token is new and signed with RS256",
    credentials: 'new RS256',
    settings: { ...UNTIL_USED_UP, answers: 'minted', connections: 64 },
    goals: [cpu(BEST_PACKAGE, 0.6)],
  },
];

export const HTTP_WORKLOADS: readonly Workload[] = [
  {
    ...carried,
    name: 'small',
    what: '64 connections ask for a JSON of 200 bytes as fast as they are answered',
    unit: 'request',
    request: SMALL,
    settings: { answers: 'small', connections: 64 },
    unitsOf: requests,
    goals: [cpu('nginx', 3.2), cpu(BEST_PACKAGE, 0.45)],
  },
  {
    ...carried,
    name: 'small-paced',
    what: 'a JSON of 200 bytes, 500 requests per second',
    unit: 'request',
    request: SMALL,
    settings: { answers: 'small', connections: 64, rate: 500 },
    isPaced: true,
    unitsOf: requests,
    goals: [
      { figure: 'added latency', against: 'nginx', atMost: 1.7 },
      { figure: 'added latency', against: BEST_PACKAGE, atMost: 0.7 },
    ],
  },
  {
    ...carried,
    name: 'short',
    what: '64 connections ask for 3 kB of speech as fast as it is answered',
    unit: 'request',
    request: speech('n=1&size=3200'),
    settings: { answers: 'stream', connections: 64, chunks: 1, size: 3200 },
    unitsOf: requests,
    goals: [],
  },
  {
    ...carried,
    name: 'burst',
    what: '32 connections ask for 100 kB of speech, sent in 32 chunks without a pause',
    unit: 'request',
    request: speech('n=32&size=3200'),
    settings: { answers: 'stream', connections: 32, chunks: 32, size: 3200 },
    unitsOf: requests,
    goals: [cpu('nginx', 1.2), cpu('haproxy', 1.5), cpu(BEST_PACKAGE, 0.7)],
  },
  {
    ...carried,
    name: 'paced',
    what: '100 times a second 100 kB of speech in 32 chunks, 5 ms between two of them, as a voice that is being made comes',
    unit: 'chunk',
    request: speech('n=32&size=3200&gap=5000'),
    settings: { answers: 'stream', connections: 160, chunks: 32, size: 3200, rate: 100 },
    isPaced: true,
    unitsOf: chunks,
    goals: [
      cpu('nginx', 1.8),
      cpu(BEST_PACKAGE, 0.6),
      { figure: 'added chunk delay', against: 'nginx', atMost: 2 },
      { figure: 'added chunk delay', against: BEST_PACKAGE, atMost: 0.4 },
    ],
  },
];

export const SOCKET_WORKLOADS: readonly Workload[] = [
  {
    ...relayed,
    name: 'speech',
    what: '64 sockets ask for speech, 20 messages of 16 kB, again and again',
    request: handshake('/tts/websocket'),
    settings: { does: 'speak', connections: 64 },
    goals: [cpu('haproxy', 0.9), cpu('nginx', 0.5), cpu('ws-relay', 0.5), cpu(BEST_PACKAGE, 0.9)],
  },
  {
    ...relayed,
    name: 'speech-paced',
    what: '100 sockets, each with 20 messages of 16 kB a second, 50 ms between two of them',
    request: handshake('/tts/websocket?gap=50000'),
    settings: { does: 'speak', connections: 100, stagger: 500 },
    isPaced: true,
    goals: [cpu('haproxy', 1.2), cpu('nginx', 0.8), cpu(BEST_PACKAGE, 0.9)],
  },
  {
    ...relayed,
    name: 'recordings',
    what: '64 sockets send recordings in messages of 3.2 kB, each answered by a small text',
    request: handshake(LISTENING),
    settings: { does: 'listen', connections: 64 },
    goals: [cpu('haproxy', 1.4), cpu('ws-relay', 0.4)],
  },
];
