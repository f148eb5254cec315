// The form of a transcription: taken up, watched and passed on.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Admission } from '../admission/admitted.ts';
import { Problem } from '../errors/problems.ts';
import { queryOf } from '../listener/request-target.ts';
import { allowSlowBody } from '../listener/slow-body.ts';
import type { Endpoint } from '../upstream/endpoints.ts';
import { bytesPerSecond } from '../usage/units.ts';
import { isStream } from './bodies.ts';
import { openForm } from './form-parser.ts';
import { restrictsForms, watchForm } from './form-policy.ts';
import { type FormRecordings, measureRecordings } from './form-recordings.ts';
import { type FormWatch, Upload } from './upload.ts';

/** A form with a recording, on its way to Cartesia. */
export interface CarriedForm {
  readonly content: Upload;
  /** Bytes, where the client has announced them. */
  readonly length: number | null;
  readonly recordings: FormRecordings;
}

/** @throws Problem for what is no form, or is announced to be too large */
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
  const length = headers['content-length'] === undefined ? null : Number(headers['content-length']);
  if (length !== null && length > endpoint.bodyMaxBytes) throw new Problem('payload_too_large');
  allowSlowBody(request.raw); // the row's deadlines hold
  const rules = admission.client.content;
  const isRestricted = restrictsForms(rules);
  const form = await openForm(contentType).catch((problem: Problem) => {
    if (isRestricted) throw problem; // otherwise upstream says what is wrong with it
    return null;
  });
  const recordings = measureRecordings(form, rawRateOf(request));
  const watches: FormWatch[] = form === null ? [recordings] : [form, recordings];
  if (form !== null && isRestricted) watches.push(watchForm(form, rules));
  const content = new Upload(endpoint.bodyMaxBytes, watches);
  content.on('error', (error) => {
    if (error instanceof Problem && !reply.sent) reply.send(error);
  });
  body.on('error', (error) => content.destroy(error));
  body.pipe(content);
  return { content, length, recordings };
}

/** Of recordings without a header, whose form the query tells. */
function rawRateOf({ raw }: FastifyRequest): number | null {
  const query = new URLSearchParams(queryOf(raw.url ?? ''));
  const [encoding, ...others] = query.getAll('encoding');
  const [rate, ...otherRates] = query.getAll('sample_rate');
  if (encoding === undefined || rate === undefined || others.length + otherRates.length > 0) return null;
  if (!/^[1-9][0-9]{0,5}$/.test(rate)) return null;
  return bytesPerSecond({ container: 'raw', encoding, sampleRate: Number(rate), bitRate: null });
}
