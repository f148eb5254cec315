// A form as it is read by all here who have to look into it: parsed once, however many they are.
import type { Busboy, BusboyHeaders } from '@fastify/busboy';
import { Problem } from '../errors/problems.ts';
import type { FormWatch } from './upload.ts';

/** The first of its watches: what it is given, those see that listen to its parser. */
export interface OpenForm extends FormWatch {
  /** To listen to; nobody else writes to it. */
  readonly parser: InstanceType<typeof Busboy>;
  /** `false` from the first mistake on: what comes behind it is not looked at. */
  readonly isReadable: boolean;
  /** Resolves when the last field was told, or there is nothing more to be read; may be called by each who waits for it. */
  end(): Promise<void>;
}

/** @throws Problem `invalid_request`, `unsupported_media_type` when the media type is no form, or not clearly one */
export async function openForm(contentType: string): Promise<OpenForm> {
  // Which of two boundaries counts is for each reader to say.
  if (contentType.toLowerCase().split('boundary=').length !== 2)
    throw new Problem('invalid_request', 'The media type of the form must name one boundary.');
  const { Busboy: Parser } = await import('@fastify/busboy'); // loaded by the first form
  const headers: BusboyHeaders = { 'content-type': contentType };
  try {
    return readBy(new Parser({ headers, limits: { fieldSize: FIELD_MAX_BYTES, fields: FIELDS_MAX, headerPairs: 20 } }));
  } catch {
    throw new Problem('unsupported_media_type', 'Send the body as multipart/form-data.');
  }
}

function readBy(parser: OpenForm['parser']): OpenForm {
  let isReadable = true;
  let isEnded = false;
  const finished = Promise.withResolvers<void>();
  parser.on('finish', finished.resolve);
  parser.on('error', () => {
    isReadable = false;
    finished.resolve();
  });
  return {
    parser,
    get isReadable() {
      return isReadable;
    },
    write(chunk) {
      if (isReadable) parser.write(chunk);
    },
    end() {
      if (isReadable && !isEnded) parser.end();
      isEnded = true;
      return finished.promise;
    },
  };
}

const FIELD_MAX_BYTES = 4096;
const FIELDS_MAX = 100;
