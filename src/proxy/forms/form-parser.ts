// Parses a multipart form once, as it passes, for everything that inspects it.
import type { Busboy, BusboyHeaders } from '@fastify/busboy';
import { Problem } from '../../errors/problems.ts';
import type { FormWatch } from '../upload.ts';

type Parser = InstanceType<typeof Busboy>;

/** Must be the first watch of a form: then listeners on its parser have seen everything that has passed before later watches run. */
export interface Form extends FormWatch {
  /** `null` if the form cannot be read at all. Files without a listener are discarded. */
  readonly parser: Parser | null;
  /** `unsupported_media_type` or `invalid_request`: the media type is not clearly a form, or what has passed is malformed or has too many parts. */
  readonly problem: Problem | null;
}

export async function openForm(contentType: string): Promise<Form> {
  const parser = await openParser(contentType);
  if (parser instanceof Problem) return { parser: null, problem: parser, write() {}, async end() {} };
  let problem: Problem | null = null;
  const isOver = new Promise<void>((resolve) => {
    parser.on('finish', resolve);
    parser.on('error', () => {
      problem ??= new Problem('invalid_request', 'The form is not well-formed.');
      resolve();
    });
  });
  parser.on('partsLimit', () => {
    problem ??= new Problem('invalid_request', 'The form has too many parts.');
  });
  parser.on('file', (_name, file) => {
    file.on('error', () => {}); // the parser reports it, too
    file.resume();
  });
  return {
    parser,
    get problem() {
      return problem;
    },
    write(chunk) {
      for (let at = 0; at < chunk.length && problem === null; at += WRITTEN_BYTES)
        parser.write(chunk.subarray(at, at + WRITTEN_BYTES));
    },
    async end() {
      if (problem !== null) return;
      parser.end();
      await isOver;
    },
  };
}

async function openParser(contentType: string): Promise<Parser | Problem> {
  // With two boundaries, readers may disagree on which one counts.
  if (contentType.toLowerCase().split('boundary=').length !== 2)
    return new Problem('invalid_request', 'The media type of the form must name one boundary.');
  const { Busboy: FormParser } = await import('@fastify/busboy'); // loaded by the first form
  const headers: BusboyHeaders = { 'content-type': contentType };
  try {
    const limits = { fieldSize: FIELD_MAX_BYTES, fields: FIELDS_MAX, parts: PARTS_MAX, headerPairs: 20 };
    return new FormParser({ headers, limits });
  } catch {
    return new Problem('unsupported_media_type', 'Send the body as multipart/form-data.');
  }
}

const FIELD_MAX_BYTES = 4096;
const FIELDS_MAX = 100;
/** A part costs far more than its bytes and is kept until the form is over: a form of nothing but parts blocked the process for a second. */
const PARTS_MAX = 200;
/** Written to the parser at a time, so that little is parsed in vain after what ends the form. */
const WRITTEN_BYTES = 4096;
