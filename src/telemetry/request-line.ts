// The line of a request as JSON text. It is written for every request, so its fields are put together by hand: pino would look at the
// type of each of them first, which was a tenth of what a small carried request costs.
import type { RequestRecord } from './request-record.ts';

export interface RequestFacts {
  readonly requestId: string;
  /** Template of the path. */
  readonly route: string;
  readonly method: string;
  /** As answered; 499 where nobody was left to be answered. */
  readonly status: number;
  /** From the header block to the end, milliseconds. */
  readonly ms: number;
  /** The subject as it may be logged; `null` = nobody is known. */
  readonly subject: string | null;
}

/**
 * What a mint, a refusal or consumption says in its line is also its audit line: `audit` marks those.
 * @returns members of an object, each with a comma before it
 */
export function requestFields(
  { requestId, route, method, status, ms, subject }: RequestFacts,
  record: RequestRecord,
): string {
  let text =
    `,"request_id":"${requestId}","route":${json(route)},"method":"${method}","status":${status}` +
    `,"outcome":"${record.outcome}","ms":${tenths(ms)}`;
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

/** For whatever could be anything; the rest are words of ours, ids and numbers. */
function json(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

const PLAIN = /^[\w ./:{}*()-]*$/;

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
