// Reads multipart/form-data bodies.

import type { BusboyInstance } from '@fastify/busboy';
import { type Problem, problem } from '../problems.ts';
import { type Exchange, ExchangeOver } from './exchange.ts';
import { type BodyRead, invalid } from './request-body.ts';

export interface Form {
  /** The last value of each field. */
  readonly fields: Readonly<Record<string, string>>;
  /** All values of a field; `name[]` counts as `name`. */
  all(name: string): readonly string[];
  /** The content of each file part. */
  readonly files: Readonly<Record<string, Buffer>>;
}

/** Reads a form with its files, which may be as long as the settings allow. */
export async function readForm(exchange: Exchange): Promise<BodyRead<Form>> {
  const contentType = exchange.request.headers['content-type'] ?? '';
  const parser = await parserOf(contentType, exchange.world.settings.sizes.uploadBytes);
  return parser === null ? invalid(exchange, 'Expected multipart/form-data.') : collect(exchange, parser);
}

/** Null for a content type that is not a form with files. */
async function parserOf(contentType: string, uploadBytes: number): Promise<BusboyInstance | null> {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) return null;
  // Loaded here because most runs never upload anything.
  const { Busboy } = await import('@fastify/busboy');
  const limits = { fileSize: uploadBytes, files: 10, fields: 1_000 };
  try {
    return new Busboy({ headers: { 'content-type': contentType }, limits });
  } catch {
    return null; // without a boundary
  }
}

async function collect(exchange: Exchange, parser: BusboyInstance): Promise<BodyRead<Form>> {
  const { request, signal } = exchange;
  const values: [name: string, value: string][] = [];
  const files: Record<string, Buffer> = {};
  let refusal: Problem | null = null;
  const { promise: parsed, resolve, reject } = Promise.withResolvers<void>();
  parser.on('field', (name, value) => void values.push([name, value]));
  parser.on('file', (name, stream) => {
    const chunks: Buffer[] = [];
    // A form that ends too early is reported as an error of the part in which it ends.
    stream.once('error', reject);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('limit', () => {
      refusal = problem(exchange.world.settings, 'file_too_large');
    });
    stream.once('end', () => {
      files[name] = Buffer.concat(chunks);
    });
  });
  parser.once('finish', resolve);
  parser.once('error', reject);
  signal.addEventListener('abort', () => reject(new ExchangeOver()), { once: true });
  request.pipe(parser);
  try {
    await parsed;
  } catch (error) {
    if (error instanceof ExchangeOver) throw error;
    return invalid(exchange, 'The form cannot be read.');
  }
  if (refusal !== null) return { outcome: 'refused', problem: refusal };
  return { outcome: 'read', value: { fields: Object.fromEntries(values), files, all: valuesOf(values) } };
}

function valuesOf(values: readonly (readonly [name: string, value: string])[]): Form['all'] {
  return (name) => values.filter(([key]) => key === name || key === `${name}[]`).map(([, value]) => value);
}
