// Reads the body of a request.

import { isRecord } from '../is-record.ts';
import { type Problem, problem } from '../problems.ts';
import { type Exchange, ExchangeOver } from './exchange.ts';

export type BodyRead<T> =
  | { readonly outcome: 'read'; readonly value: T }
  | { readonly outcome: 'refused'; readonly problem: Problem };

/** Reads a JSON object. Ignores the content type, since some clients send none. */
export async function readJson(exchange: Exchange): Promise<BodyRead<Readonly<Record<string, unknown>>>> {
  const read = await readBytes(exchange, exchange.world.settings.sizes.jsonBytes);
  if (read === null) {
    const tooLarge = problem(exchange.world.settings, 'invalid_request', { message: 'The body is too large.' });
    return { outcome: 'refused', problem: { ...tooLarge, status: 413 } };
  }
  const value = parsed(read);
  if (isRecord(value)) return { outcome: 'read', value };
  return invalid(exchange, 'The body is not a JSON object.');
}

export function invalid(exchange: Exchange, message: string): { outcome: 'refused'; problem: Problem } {
  return { outcome: 'refused', problem: problem(exchange.world.settings, 'invalid_request', { message }) };
}

/** Reads the whole body; null if it is longer than the limit, leaving the rest unread. */
async function readBytes({ request, signal }: Exchange, limitBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // An early return must not destroy the request: the refusal goes out on the same socket.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limitBytes) return null;
      chunks.push(chunk);
    }
  } catch (error) {
    if (signal.aborted || request.destroyed) throw new ExchangeOver();
    throw error;
  }
  return Buffer.concat(chunks);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
