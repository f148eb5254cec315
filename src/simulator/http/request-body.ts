// Reading a request's body.

import { type Problem, problem } from '../problems.ts';
import { type Exchange, ExchangeOver } from './exchange.ts';

export type BodyRead<T> =
  | { readonly outcome: 'read'; readonly value: T }
  | { readonly outcome: 'refused'; readonly problem: Problem };

/** A JSON object. The content type is not looked at: some clients send none. */
export async function readJson(exchange: Exchange): Promise<BodyRead<Readonly<Record<string, unknown>>>> {
  const read = await readBytes(exchange, exchange.world.settings.sizes.jsonBytes);
  if (read.outcome === 'refused') return read;
  const value = parsed(read.value);
  if (isRecord(value)) return { outcome: 'read', value };
  return invalid(exchange, 'The body is not a JSON object.');
}

/** The whole body. Beyond the limit the rest is not read. */
export async function readBytes(exchange: Exchange, limitBytes: number): Promise<BodyRead<Buffer>> {
  const { request, signal } = exchange;
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limitBytes)
        return { outcome: 'refused', problem: problem(exchange.world.settings, 'file_too_large') };
      chunks.push(chunk);
    }
  } catch (error) {
    if (signal.aborted || request.destroyed) throw new ExchangeOver();
    throw error;
  }
  return { outcome: 'read', value: Buffer.concat(chunks) };
}

export function invalid(exchange: Exchange, message: string): { outcome: 'refused'; problem: Problem } {
  return { outcome: 'refused', problem: problem(exchange.world.settings, 'invalid_request', { message }) };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
