// A form on its way up: counted, watched for what policy restricts, passed on byte for byte.
import { Transform, type TransformCallback } from 'node:stream';
import { Problem } from '../errors/problems.ts';

/** Looks at a form as it passes. */
export interface FormWatch {
  /** @throws Problem as soon as a field is outside the policy */
  write(chunk: Buffer): void;
  /** @throws Problem when what the policy asks for never came; resolves when the last field was looked at */
  end(): Promise<void>;
}

/**
 * Ends with a Problem when the form is over its limit or outside the policy. The newest piece is held back until the next one has come or the
 * form is over and found good: upstream never has a whole request that is then refused.
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
      done(error as Problem); // nothing else is thrown there
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

  /** One after the other: what the first has read to its end is there for the next. */
  async #endWatches(): Promise<void> {
    for (const watch of this.#watches) await watch.end();
  }
}
