// A form as it is read by whoever here has to look into it.
import type { Busboy, BusboyHeaders } from '@fastify/busboy';
import { Problem } from '../errors/problems.ts';

/** @throws Problem `invalid_request`, `unsupported_media_type` when the media type is no form, or not clearly one */
export async function openForm(contentType: string): Promise<InstanceType<typeof Busboy>> {
  // Which of two boundaries counts is for each reader to say.
  if (contentType.toLowerCase().split('boundary=').length !== 2)
    throw new Problem('invalid_request', 'The media type of the form must name one boundary.');
  const { Busboy: Parser } = await import('@fastify/busboy'); // loaded by the first form
  const headers: BusboyHeaders = { 'content-type': contentType };
  try {
    return new Parser({ headers, limits: { fieldSize: FIELD_MAX_BYTES, fields: FIELDS_MAX, headerPairs: 20 } });
  } catch {
    throw new Problem('unsupported_media_type', 'Send the body as multipart/form-data.');
  }
}

const FIELD_MAX_BYTES = 4096;
const FIELDS_MAX = 100;
