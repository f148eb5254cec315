// Passes a form on to upstream byte for byte, while its size is limited and its fields are checked against the policy.
import { Transform, type TransformCallback } from 'node:stream';
import { Problem } from '../errors/problems.ts';

/** Inspects a form as it passes. */
export interface FormWatch {
  /** @throws Problem as soon as a field is outside the policy */
  write(chunk: Buffer): void;
  /** Resolves once the last field was inspected. @throws Problem if something that the policy requires is missing */
  end(): Promise<void>;
}

/**
 * Fails with a Problem if the form is over its limit or outside the policy. Holds back the newest piece until the next one has arrived or the
 * complete form has passed the checks, so that upstream never has a complete request that is then refused.
 */
export class Upload extends Transform {
  readonly #maxBytes: number;
  readonly #watches: readonly FormWatch[];
  #bytes = 0;
  #held: Buffer | null = null;

  constructor(maxBytes: number, watches: readonly FormWatch[]) {
    super({ highWaterMark: 64 * 1024 });
    this.#maxBytes = maxBytes;
    this.#watches = watches;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#bytes += chunk.length;
    try {
      if (this.#bytes > this.#maxBytes) throw new Problem('payload_too_large');
      for (const watch of this.#watches) watch.write(chunk);
    } catch (error) {
      done(error as Problem); // watches throw nothing else
      return;
    }
    const ready = this.#held;
    this.#held = chunk;
    done(null, ready ?? undefined);
  }

  override _flush(done: TransformCallback): void {
    const finish = (): void => done(null, this.#held ?? undefined);
    this.#endWatches().then(finish, (error: Problem) => done(error));
  }

  /** One after the other, because later watches need what the first has parsed to its end. */
  async #endWatches(): Promise<void> {
    for (const watch of this.#watches) await watch.end();
  }
}
