// What is known of a request when its line is written; filled by whoever learns it while the request is handled.

export interface RequestRecord {
  client: string | null;
  /** In the clear here; hashed on its way into the line. */
  subject: string | null;
  method: string | null;
  /** `ok`, the error code, or `aborted`: the client went away before it had its answer. */
  outcome: string;
  /** Why a credential was refused, or which rate was exceeded: a word, for the operator, never for the caller. */
  reason: string | null;
  upstreamMs: number | null;
  upstreamRequestId: string | null;
  /** Set by what was carried: what it consumed. */
  usage: { readonly characters: number; readonly audioBytes: number; readonly audioSeconds: number } | null;
  /** Set by the mint: what was handed out. */
  mint: {
    readonly grants: readonly string[];
    readonly expiresIn: number;
    readonly delivery: string;
    readonly reused: boolean;
  } | null;
}

declare module 'fastify' {
  interface FastifyRequest {
    record: RequestRecord;
  }
}

export function emptyRecord(): RequestRecord {
  return {
    client: null,
    subject: null,
    method: null,
    outcome: 'ok',
    reason: null,
    upstreamMs: null,
    upstreamRequestId: null,
    usage: null,
    mint: null,
  };
}
