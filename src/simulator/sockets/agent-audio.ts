// The audio formats of both agent sockets.

import type { OutputEncoding } from '../audio/encodings.ts';

export interface AgentFormat {
  readonly encoding: OutputEncoding;
  readonly sampleRate: number;
  readonly bytesPerSecond: number;
}

const FORMATS = {
  mulaw_8000: { encoding: 'pcm_mulaw', sampleRate: 8_000, bytesPerSecond: 8_000 },
  pcm_16000: { encoding: 'pcm_s16le', sampleRate: 16_000, bytesPerSecond: 32_000 },
  pcm_24000: { encoding: 'pcm_s16le', sampleRate: 24_000, bytesPerSecond: 48_000 },
  pcm_44100: { encoding: 'pcm_s16le', sampleRate: 44_100, bytesPerSecond: 88_200 },
} as const satisfies Record<string, AgentFormat>;

export function agentFormat(name: unknown): AgentFormat | undefined {
  return typeof name === 'string' && Object.hasOwn(FORMATS, name) ? FORMATS[name as keyof typeof FORMATS] : undefined;
}
