// Reads the length of the audio from the response to a transcription: that is what is billed.

/** Longer responses pass unread, and the form's size is metered instead. A transcript of a day of speech with word times is shorter. */
const ANSWER_MAX_BYTES = 8 * 1024 * 1024;

/** Keeps a copy of a JSON response while it passes. */
export class TranscriptionAnswer {
  #chunks: Buffer[] = [];
  #bytes = 0;

  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes <= ANSWER_MAX_BYTES) this.#chunks.push(chunk);
    else this.#chunks = [];
  }

  /** Seconds of audio; `null` if the response does not say or was not read. */
  get audioSeconds(): number | null {
    try {
      const answer: unknown = JSON.parse(Buffer.concat(this.#chunks).toString('utf8'));
      const duration: unknown = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'duration') : null;
      return typeof duration === 'number' && Number.isFinite(duration) && duration >= 0 ? duration : null;
    } catch {
      return null;
    }
  }
}
