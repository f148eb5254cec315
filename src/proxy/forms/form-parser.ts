// A form, parsed once as it passes, for all who look into it.
import type { Busboy, BusboyHeaders } from '@fastify/busboy';
import { Problem } from '../../errors/problems.ts';
import type { FormWatch } from '../upload.ts';

type Parser = InstanceType<typeof Busboy>;

/** The first to watch a form: those who listen to its parser have heard of all that has passed. */
export interface Form extends FormWatch {
  /** `null` where nothing can be read from the start. Files that nobody listens to flow off. */
  readonly parser: Parser | null;
  /** `invalid_request`, `unsupported_media_type`: the media type is no form, or not clearly one, or what has passed is not well-formed. */
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
    file.on('error', () => {}); // told by the parser, too
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
  // Which of two boundaries counts is for each reader to say.
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
/** Each costs far more than its bytes, and is remembered until the form is over: a form of nothing else made everybody wait for a second. */
const PARTS_MAX = 200;
/** At a time, so that little is parsed in vain behind what ends it. */
const WRITTEN_BYTES = 4096;
