// Records what was consumed in the store.
import type { UsageRecords } from '../store/usage-records.ts';

/** Who consumed it, and at which endpoint. */
export interface Consumer {
  readonly client: string;
  readonly subject: string;
  readonly endpoint: { readonly path: string; readonly concurrency: string };
}

export interface Consumed {
  /** 0 if an earlier record already counts the same socket. */
  readonly requests: 0 | 1;
  readonly characters: number;
  /** Generated or transcribed, depending on the endpoint. */
  readonly audioSeconds: number;
  readonly callSeconds: number;
}

/** Not awaited, and failures are ignored: usage that is never recorded is still in the log. */
export function recordUsage(records: UsageRecords, consumer: Consumer, consumed: Consumed): void {
  const { client, subject, endpoint } = consumer;
  const { requests, characters, audioSeconds, callSeconds } = consumed;
  const isTranscribed = endpoint.concurrency === 'stt';
  records
    .add({
      atMs: Date.now(),
      client,
      subject,
      endpoint: endpoint.path,
      requests,
      characters,
      spokenSeconds: isTranscribed ? 0 : audioSeconds,
      audioSeconds: isTranscribed ? audioSeconds : 0,
      callSeconds,
    })
    .catch(() => {});
}
