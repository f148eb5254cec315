// What was consumed, one record after the other, as many as fit.

/** What one request, or a socket since its last record, consumed. */
export interface UsageRecord {
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly client: string;
  readonly subject: string;
  /** Template of the path. */
  readonly endpoint: string;
  /** 1, or 0 for all records of a socket but its first. */
  readonly requests: number;
  readonly characters: number;
  /** Of speech that was made, where its format tells. It is billed by its characters. */
  readonly spokenSeconds: number;
  /** Of audio that was transcribed. */
  readonly audioSeconds: number;
  readonly callSeconds: number;
}

/** Bounded: the oldest give way. The log has them all. */
export interface UsageRecords {
  add(record: UsageRecord): Promise<void>;
  /** The newest, in the order of time. */
  list(max: number): Promise<readonly UsageRecord[]>;
}
