// Records of what was consumed; as many of the newest as fit are kept.

/** What one request, or a socket since its last record, consumed. */
export interface UsageRecord {
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly client: string;
  readonly subject: string;
  /** Path template. */
  readonly endpoint: string;
  /** 1, or 0 for all records of a socket but its first. */
  readonly requests: number;
  readonly characters: number;
  /** Of generated speech, where its format tells. It is billed by its characters. */
  readonly spokenSeconds: number;
  /** Of audio that was transcribed. */
  readonly audioSeconds: number;
  readonly callSeconds: number;
}

/** Bounded: the oldest are dropped. The log has them all. */
export interface UsageRecords {
  add(record: UsageRecord): Promise<void>;
  /** The newest `max`, oldest first. */
  list(max: number): Promise<readonly UsageRecord[]>;
}
