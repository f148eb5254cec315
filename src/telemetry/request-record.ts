// What a request's log line reports; the code that handles the request fills it in.

export interface RequestRecord {
  client: string | null;
  /** In the clear here; hashed when the line is written. */
  subject: string | null;
  method: string | null;
  /** `ok`, the error code, or `aborted`: the client went away before it had its response. */
  outcome: string;
  /** Why a credential was refused, or which rate was exceeded: a word, for the operator, never for the caller. */
  reason: string | null;
  upstreamMs: number | null;
  upstreamRequestId: string | null;
  /** What a carried request consumed. */
  usage: { readonly characters: number; readonly audioBytes: number; readonly audioSeconds: number } | null;
  /** What a mint handed out. */
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
