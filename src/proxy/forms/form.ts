// Receives the form of a transcription, watches it and passes it on.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Admission } from '../../admission/admitted.ts';
import { Problem } from '../../errors/problems.ts';
import { requirePlainBody } from '../../listener/plain-body.ts';
import { queryOf } from '../../listener/request-target.ts';
import { allowSlowBody } from '../../listener/slow-body.ts';
import type { Endpoint } from '../../upstream/endpoints.ts';
import { isStream } from '../bodies.ts';
import { recordedBytesPerSecond } from '../recorded-audio.ts';
import { Upload } from '../upload.ts';
import { openForm } from './form-parser.ts';
import { checkFormQuery, restrictsForms, watchForm } from './form-policy.ts';
import { type FormRecordings, measureRecordings } from './form-recordings.ts';

/** A form with a recording, on its way to Cartesia. */
export interface CarriedForm {
  readonly content: Upload;
  /** Bytes; `null` if the client has not announced the length. */
  readonly length: number | null;
  readonly recordings: FormRecordings;
}

/**
 * @throws Problem if the body is no plain form or is announced to be too large, or if the query is unclear about the recording's coding or
 * names a field that a rule applies to
 */
export async function receiveForm(
  endpoint: Endpoint,
  admission: Admission,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<CarriedForm> {
  const { body, headers } = request;
  const contentType = headers['content-type'] ?? '';
  if (!isStream(body) || !/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new Problem('unsupported_media_type', 'Send the body as multipart/form-data.');
  }
  requirePlainBody(headers);
  const length = headers['content-length'] === undefined ? null : Number(headers['content-length']);
  if (length !== null && length > endpoint.bodyMaxBytes) throw new Problem('payload_too_large');
  allowSlowBody(request.raw); // the endpoint's deadlines apply
  const query = new URLSearchParams(queryOf(request.raw.url ?? ''));
  const bytesPerSecond = recordedBytesPerSecond(query, false);
  const rules = admission.client.content;
  const isRestricted = restrictsForms(rules);
  if (isRestricted) checkFormQuery(query);
  const form = await openForm(contentType);
  const recordings = measureRecordings(form, query.get('encoding') ? { bytesPerSecond } : null);
  const watches = isRestricted ? [form, recordings, watchForm(form, rules)] : [form, recordings];
  const content = new Upload(endpoint.bodyMaxBytes, watches);
  content.on('error', (error) => {
    if (error instanceof Problem && !reply.sent) reply.send(error);
  });
  body.on('error', (error) => content.destroy(error));
  body.pipe(content);
  return { content, length, recordings };
}
