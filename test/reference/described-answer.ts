// Compares a response of the broker with the OpenAPI document.
import type { Test } from 'tap';
import { Errors } from 'typebox/schema';
import { request } from 'undici';
import { loadOpenApiDocument } from '../../src/reference/openapi-document.ts';
import { type ResolvedEndpoint, resolvedEndpoints } from './resolved-document.ts';

export const endpoints = await resolvedEndpoints(await loadOpenApiDocument());

export function endpointOf(operationId: string): ResolvedEndpoint {
  const found = endpoints.find(({ operation }) => operation.operationId === operationId);
  if (found === undefined) throw new Error(`no operation ${operationId}`);
  return found;
}

export interface Call {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Replaces the document's path where that has a parameter. */
  readonly path?: string;
}

/** Sends a request and fails the test unless the document describes the response. */
export async function ask(t: Test, origin: string, endpoint: ResolvedEndpoint, call: Call = {}) {
  const { method, path, operation } = endpoint;
  const { statusCode, headers, body } = await request(`${origin}${call.path ?? path}`, {
    method: method as 'GET' | 'POST',
    headers: { ...call.headers },
    body: call.body ?? null,
  });
  const text = await body.text();
  const name = `${method} ${path} ${statusCode}`;
  const described = operation.responses[String(statusCode)] ?? operation.responses['default'];
  if (described === undefined) throw new Error(`${name} is not in the document: ${text}`);

  const type = String(headers['content-type']).split(';')[0] ?? '';
  const media = described.content?.[type] ?? described.content?.[type.replace(/[^/]+$/, '*')];
  if (media === undefined) throw new Error(`${name} with ${type} is not in the document`);
  const answer: unknown = type === 'application/json' ? JSON.parse(text) : text;
  t.strictSame(Errors(media.schema, answer)[1], [], `${name}: body`);

  const known = described.headers ?? {};
  const ours = Object.keys(headers).filter((header) => !TRANSPORT.has(header));
  t.strictSame(
    ours.filter((header) => !(header in known)),
    [],
    `${name}: no undocumented header`,
  );
  for (const [header, { schema }] of Object.entries(known)) {
    const value = headers[header];
    if (value === undefined) t.ok(SOMETIMES.has(header), `${name}: ${header} is present`);
    else t.strictSame(Errors(schema, schema.type === 'integer' ? Number(value) : value)[1], [], `${name}: ${header}`);
  }
  if (statusCode >= 400) {
    const { error_code: code, source } = answer as { error_code: string; source: string }; // it fits the schema
    if (source === 'broker') t.ok(Object.hasOwn(media.examples ?? {}, code), `${name}: ${code} is documented`);
    return { statusCode, code, answer };
  }
  return { statusCode, code: null, answer };
}

/** Headers of HTTP itself, and of CORS and caching rules. */
const TRANSPORT = new Set('content-type content-length transfer-encoding date connection keep-alive vary'.split(' '));
/** Documented headers that are present only in some cases. */
const SOMETIMES = new Set(
  'cartesia-request-id cartesia-file-id content-disposition ratelimit-limit ratelimit-remaining ratelimit-reset retry-after cache-control'.split(
    ' ',
  ),
);
