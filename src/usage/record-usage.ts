// What was consumed, as a record of the store.
import type { UsageRecords } from '../store/usage-records.ts';

/** By whom, and where. */
export interface Consumer {
  readonly client: string;
  readonly subject: string;
  readonly endpoint: { readonly path: string; readonly concurrency: string };
}

export interface Consumed {
  /** 0 where a record of the same socket came before. */
  readonly requests: 0 | 1;
  readonly characters: number;
  /** Generated or transcribed: the endpoint tells. */
  readonly audioSeconds: number;
  readonly callSeconds: number;
}

/** Not waited for: what is never recorded is in the log all the same. */
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
