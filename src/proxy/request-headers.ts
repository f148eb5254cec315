// Selects the client's header fields that reach Cartesia, by an allow-list. The key ring appends the credential and the version.
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Nothing that tells who the client is, how it is connected or what it claims to be allowed. `accept` passes although upstream ignores it
 * for audio; `content-type` contains the boundary of a form.
 */
const FORWARDED = ['accept', 'content-type', 'x-cartesia-client'] as const;

/**
 * The flat list of names and values for upstream, without credential and version.
 * A field that `Connection` names is for this connection only and does not pass, whatever it is called.
 * @param contentType used if the client does not name the media type of its body
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
  // Compressed audio and event streams are of no use, and errors must be readable here.
  list.push('accept-encoding', 'identity', 'user-agent', 'cartesia-broker');
  return list;
}

function namesField(connection: string, name: string): boolean {
  return connection.split(',').some((option) => option.trim() === name);
}
