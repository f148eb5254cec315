// Builds the request target for Cartesia from a path of the endpoint table and what may pass of the client's query, and picks the version.
import type { FastifyRequest } from 'fastify';
import type { Config } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';
import { PARAMETERS_MAX, queryOf } from '../listener/request-target.ts';
import { type Endpoint, upstreamPath } from '../upstream/endpoints.ts';
import { resolveVersion } from '../upstream/version.ts';

export interface Target {
  /** Path and query for upstream. */
  readonly target: string;
  /** Cartesia-Version, YYYY-MM-DD. */
  readonly version: string;
}

/** @throws Problem `not_found`, `invalid_version`, or `invalid_request` if the query is ambiguous */
export function targetOf(
  endpoint: Pick<Endpoint, 'path'>,
  request: Pick<FastifyRequest, 'params' | 'headers' | 'raw'>,
  upstream: Pick<Config['upstream'], 'version' | 'versionPolicy'>,
): Target {
  const { id } = request.params as { readonly id?: string }; // the table knows no other parameter
  const path = upstreamPath(endpoint, id);
  if (path === null) throw new Problem('not_found');
  const query = passQuery(queryOf(request.raw.url ?? ''));
  const header = request.headers['cartesia-version'];
  const version = resolveVersion(query.version ?? (Array.isArray(header) ? header.join(', ') : header), {
    version: upstream.version,
    policy: upstream.versionPolicy,
  });
  if ('invalid' in version) throw new Problem('invalid_version');
  return { target: path + query.text, version: version.version };
}

/** The broker sends credentials and the version; a client's must not reach upstream in any spelling. Lower case, with `_` for `-`. */
const STRIPPED: ReadonlySet<string> = new Set([
  'access_token',
  'api_key',
  'authorization',
  'x_api_key',
  'cartesia_version',
]);

export interface PassedQuery {
  /** With its `?`, or empty. Parameters that pass are unchanged. */
  readonly text: string;
  /** The version that the query names; it takes precedence over the header. */
  readonly version: string | undefined;
}

/**
 * @param query raw, without the `?`
 * @throws Problem `invalid_request` for unsafe characters, broken escapes, more than 200 parameters or two versions
 */
export function passQuery(query: string): PassedQuery {
  if (query === '') return NO_QUERY;
  const passed: string[] = [];
  let version: string | undefined;
  const parameters = query.split('&');
  if (parameters.length > PARAMETERS_MAX) throw new Problem('invalid_request', 'The query has too many parameters.');
  for (const parameter of parameters) {
    if (parameter === '') continue;
    const equals = parameter.indexOf('=');
    const name = decoded(equals === -1 ? parameter : parameter.slice(0, equals)).toLowerCase();
    const value = decoded(equals === -1 ? '' : parameter.slice(equals + 1));
    if (!STRIPPED.has(name.replaceAll('-', '_'))) passed.push(parameter);
    else if (name === 'cartesia_version') {
      if (version !== undefined) throw new Problem('invalid_request', 'The query names the version twice.');
      version = value;
    }
  }
  return { text: passed.length === 0 ? '' : `?${passed.join('&')}`, version };
}

const NO_QUERY: PassedQuery = { text: '', version: undefined };

function decoded(text: string): string {
  if (!SAFE.test(text)) throw new Problem('invalid_request', 'The query has characters that must be escaped.');
  if (!text.includes('%') && !text.includes('+')) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new Problem('invalid_request', 'The query has an invalid percent escape.');
  }
}

/** Visible ASCII, without what some reader could take for the end of a query or request line, or (`;`) for the start of a parameter. */
const SAFE = /^[\x21\x24-\x3a\x3d\x3f-\x5b\x5d-\x5f\x61-\x7b\x7d\x7e]*$/;
