// A request's log line as JSON text. It is written for every request, so its fields are concatenated by hand: pino checks the type of each
// one first, which was a tenth of what a small carried request costs.
import type { RequestRecord } from './request-record.ts';

export interface RequestFacts {
  readonly requestId: string;
  /** Template of the path. */
  readonly route: string;
  readonly method: string;
  /** As sent; 499 if the client was gone before it had its response. */
  readonly status: number;
  /** Milliseconds from the header block to the end of the response. */
  readonly ms: number;
  /** The hashed subject; `null` if the caller is unknown. */
  readonly subject: string | null;
  /** Hexadecimal digits; `null` if the caller names no trace. */
  readonly traceId: string | null;
}

/**
 * The line of a mint, a refusal or a request with usage is also its audit line; the field `audit` marks it.
 * @returns members of an object, each with a comma before it
 */
export function requestFields(
  { requestId, route, method, status, ms, subject, traceId }: RequestFacts,
  record: RequestRecord,
): string {
  let text =
    `,"request_id":"${requestId}","route":${json(route)},"method":"${method}","status":${status}` +
    `,"outcome":"${record.outcome}","ms":${tenths(ms)}`;
  if (traceId !== null) text += `,"trace_id":"${traceId}"`;
  if (record.client !== null) text += `,"client":${json(record.client)}`;
  if (subject !== null) text += `,"subject":"${subject}"`;
  if (record.method !== null) text += `,"auth":"${record.method}"`;
  if (record.reason !== null) text += `,"reason":${json(record.reason)}`;
  if (record.upstreamMs !== null) text += `,"upstream_ms":${tenths(record.upstreamMs)}`;
  if (record.upstreamRequestId !== null) text += `,"upstream_request_id":${json(record.upstreamRequestId)}`;
  return text + audit(status, record);
}

function audit(status: number, { usage, mint }: RequestRecord): string {
  if (usage !== null) {
    const { characters, audioBytes, audioSeconds } = usage;
    const seconds = Math.round(audioSeconds * 1000) / 1000;
    return `,"audit":"usage","characters":${characters},"audio_bytes":${audioBytes},"audio_seconds":${seconds}`;
  }
  if (mint !== null) {
    const { grants, expiresIn, delivery, reused } = mint;
    const text = `,"audit":"mint","grants":"${grants.join(' ')}","expires_in":${expiresIn},"delivery":"${delivery}"`;
    return reused ? `${text},"reused":true` : text;
  }
  return status === 401 || status === 402 || status === 403 || status === 429 ? ',"audit":"refusal"' : '';
}

/** For text that could contain anything; the other fields are our own words, ids and numbers. */
function json(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

const PLAIN = /^[\w ./:{}*()-]*$/;

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
