// Refuses compressed bodies: they would be misread, or forwarded without the header field that names the encoding.
import type { IncomingHttpHeaders } from 'node:http';
import { Problem } from '../errors/problems.ts';

/** @throws Problem `unsupported_media_type` for any Content-Encoding but `identity` */
export function requirePlainBody(headers: IncomingHttpHeaders): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity')
    throw new Problem('unsupported_media_type', 'Send the body without Content-Encoding.');
}
