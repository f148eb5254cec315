// How long the recordings in a form are, by their bytes: for answers that do not tell. An estimate, made so that nobody gets more than
// he is charged for: everything in the form counts, and what is not known to be longer counts as well compressed speech.

import type { FormWatch } from '../upload.ts';
import { wavBytesPerSecond } from '../wav-header.ts';
import type { Form } from './form-parser.ts';

/** 32 kbit/s: speech in a compressed format is hardly ever smaller, so it is hardly ever longer than this makes it. */
const COMPRESSED_BYTES_PER_SECOND = 4_000;
/** A WAV says how it is coded in its first few dozen bytes. */
const HEAD_BYTES = 1_024;
/** Names, boundaries and fields of a form. */
const FRAME_BYTES = 16 * 1024;

interface Recording {
  head: Buffer;
  bytes: number;
}

export interface FormRecordings extends FormWatch {
  /** Seconds of what has passed so far. */
  readonly seconds: number;
}

/**
 * Watches behind the form itself. What is wrong with a form is upstream's to say.
 * @param rawBytesPerSecond what the request says of a recording without a header of its own; `null` = nothing
 */
export function measureRecordings(form: Form, rawBytesPerSecond: number | null): FormRecordings {
  const recordings: Recording[] = [];
  let total = 0;
  form.parser?.on('file', (_name, file) => {
    const recording: Recording = { head: Buffer.alloc(0), bytes: 0 };
    recordings.push(recording);
    file.on('data', (chunk: Buffer) => {
      recording.bytes += chunk.length;
      const missing = HEAD_BYTES - recording.head.length;
      if (missing > 0) recording.head = Buffer.concat([recording.head, chunk.subarray(0, missing)]);
    });
  });
  return {
    write(chunk) {
      total += chunk.length;
    },
    async end() {},
    get seconds() {
      const known = form.problem === null ? recordings : [];
      let seconds = 0;
      let rest = total - FRAME_BYTES;
      for (const { head, bytes } of known) {
        seconds += bytes / (wavBytesPerSecond(head) ?? rawBytesPerSecond ?? COMPRESSED_BYTES_PER_SECOND);
        rest -= bytes;
      }
      return seconds + Math.max(0, rest) / COMPRESSED_BYTES_PER_SECOND;
    },
  };
}
