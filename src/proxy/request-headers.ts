// Which of a client's header fields reach Cartesia: an allow-list. Ours are added last, by the key ring.
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Nothing that says who the client is, how it is connected or what it believes to be allowed. `accept` passes although upstream
 * ignores it for audio; `content-type` carries the boundary of a form.
 */
const FORWARDED = ['accept', 'content-type', 'x-cartesia-client'] as const;

/**
 * The flat list of names and values for upstream, without credential and version.
 * A field that `Connection` names is for this connection only and does not pass, whatever it is called.
 * @param contentType stands in where the client sends a body without saying what it is
 * @see RFC 9110 §7.6.1 (hop-by-hop fields)
 */
export function requestHeaders(headers: IncomingHttpHeaders, contentType: string | null): string[] {
  const list: string[] = [];
  const named = headers.connection?.toLowerCase() ?? '';
  let hasType = false;
  for (const name of FORWARDED) {
    const value = headers[name];
    if (typeof value !== 'string' || (named.includes(name) && namesField(named, name))) continue;
    list.push(name, value);
    hasType ||= name === 'content-type';
  }
  if (contentType !== null && !hasType) list.push('content-type', contentType);
  // Audio and event streams are of no use compressed, and errors have to be read here.
  list.push('accept-encoding', 'identity', 'user-agent', 'cartesia-broker');
  return list;
}

function namesField(connection: string, name: string): boolean {
  return connection.split(',').some((option) => option.trim() === name);
}
