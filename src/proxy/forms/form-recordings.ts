// Estimates the length of the recordings in a form from their bytes, for responses that do not state it. Nobody is to get more than they are
// charged for: everything in the form counts, and what has no known byte rate counts as well-compressed speech.

import type { FormWatch } from '../upload.ts';
import { wavBytesPerSecond } from '../wav-header.ts';
import type { Form } from './form-parser.ts';

/** 32 kbit/s: compressed speech hardly ever has a lower rate, so it is hardly ever longer than this estimate. */
const COMPRESSED_BYTES_PER_SECOND = 4_000;
/** Kept of each recording for its WAV header, which must end here to be believed. Apple's recorders fill it up to 4,096 bytes. */
const HEAD_BYTES = 5 * 1024;
/** Allowance for the names, boundaries and fields of a form, which are not audio. */
const FRAME_BYTES = 16 * 1024;

interface Recording {
  head: Buffer;
  bytes: number;
}

export interface FormRecordings extends FormWatch {
  /** Estimated seconds of audio that have passed so far. */
  readonly seconds: number;
}

/** The encoding of recordings, as stated by the request. */
export interface SaidCoding {
  /** `null`: the encoding is not known here. */
  readonly bytesPerSecond: number | null;
}

/**
 * The returned watch must come after `form`. It reports no problems: those are left to upstream.
 * @param said `null` = not stated: upstream goes by the recording's own header
 */
export function measureRecordings(form: Form, said: SaidCoding | null): FormRecordings {
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
        seconds += bytes / rateOf(head, said);
        rest -= bytes;
      }
      return seconds + Math.max(0, rest) / COMPRESSED_BYTES_PER_SECOND;
    },
  };
}

/**
 * Upstream decodes a recording as the request states, and goes by its header only if the request states nothing. Anybody can put a false
 * header in front of raw audio, so beside a stated encoding the header counts only if it makes the recording longer.
 * @see https://docs.cartesia.ai/api-reference/stt/transcribe
 */
function rateOf(head: Buffer, said: SaidCoding | null): number {
  const own = wavBytesPerSecond(head);
  if (said === null) return own ?? COMPRESSED_BYTES_PER_SECOND;
  return Math.min(own ?? Number.POSITIVE_INFINITY, said.bytesPerSecond ?? COMPRESSED_BYTES_PER_SECOND);
}
