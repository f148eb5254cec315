// Parses the bodies of carried routes: JSON strictly and with its bytes kept; everything else stays a stream.
import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { Problem } from '../errors/problems.ts';
import { isJsonObject } from '../json/strict-json.ts';
import { parseStrictJson } from '../listener/parse-strict-json.ts';
import { requirePlainBody } from '../listener/plain-body.ts';

/** A JSON body: its parsed value, and the same bytes to send on. */
export interface JsonBody {
  readonly bytes: Buffer;
  readonly value: unknown;
}

/** Use it in a scope of its own, so that other routes keep their parsers. */
export function carriedBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      requirePlainBody(request.headers);
      done(null, jsonBody(body as Buffer)); // parseAs: 'buffer'
    } catch (error) {
      done(error as Problem);
    }
  });
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
}

export function isJsonBody(body: unknown): body is JsonBody {
  return typeof body === 'object' && body !== null && 'bytes' in body && 'value' in body;
}

/**
 * The JSON body of a request, even if it has no Content-Type: some clients send none.
 * @throws Problem `unsupported_media_type`, `invalid_request`, `payload_too_large`
 */
export async function readJsonBody(
  body: unknown,
  contentType: string | undefined,
  maxBytes: number,
): Promise<JsonBody> {
  if (isJsonBody(body)) return body;
  if (contentType !== undefined) throw new Problem('unsupported_media_type');
  if (!isStream(body)) throw new Problem('invalid_request', 'The body is empty; send a JSON object.');
  const chunks: Buffer[] = [];
  let length = 0;
  // If the loop ends early, the iterator must not destroy the request: the refusal is sent on the same connection.
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    const bytes = chunk as Buffer; // a request without an encoding set yields buffers
    length += bytes.length;
    if (length > maxBytes) throw new Problem('payload_too_large');
    chunks.push(bytes);
  }
  return jsonBody(Buffer.concat(chunks));
}

export function isStream(body: unknown): body is Readable {
  return typeof body === 'object' && body !== null && 'pipe' in body;
}

/** All carried JSON is an object; anything else would slip past every rule that looks for a field. */
function jsonBody(bytes: Buffer): JsonBody {
  const value = parseStrictJson(bytes);
  if (!isJsonObject(value)) throw new Problem('invalid_request', 'The body must be a JSON object.');
  return { bytes, value };
}
