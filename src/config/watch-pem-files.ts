// Reloads PEM files when they have changed.
import { stat } from 'node:fs/promises';

export interface PemWatchOptions<Content> extends PemWatchEvents {
  readonly files: readonly string[];
  /** How often the files are looked at. Milliseconds. */
  readonly everyMs: number;
  /** Rejects if the files cannot be used. */
  readonly load: () => Promise<Content>;
  /** What was loaded before, PEM texts. */
  readonly inUse: Content;
  /** Puts to use what was loaded and differs from what is in use. */
  readonly use: (content: Content) => void;
  /** Describes what is wrong with files that `load` refuses: an error of a parser may quote what it read. */
  readonly whatIsWrong: () => string;
}

export interface PemWatchEvents {
  readonly onRenewed: () => void;
  /** Files that could not be used can be used again, and hold what is in use. */
  readonly onMended: () => void;
  /** The new files cannot be used: called once for each thing that is wrong. What was in use stays in use. */
  readonly onFailed: (wrong: string) => void;
}

/** How often files are checked, and who is told of the outcome. */
export type PemWatching = Pick<PemWatchOptions<unknown>, 'everyMs'> & PemWatchEvents;

export interface PemWatch {
  /** Looks now. */
  look(): void;
  stop(): void;
}

/** Polls the files' times rather than watching them: mounted secrets are swapped by symbolic links, which file watches miss. */
export function watchPemFiles<Content>(options: PemWatchOptions<Content>): PemWatch {
  const { files, everyMs, load, use, whatIsWrong, onRenewed, onMended, onFailed } = options;
  let seen = ''; // so that the first look also finds what was written since the files were loaded
  let inUse = JSON.stringify(options.inUse);
  let looking = false;
  let isAskedAgain = false;
  let trouble: string | null = null;

  async function compare(): Promise<void> {
    const stamps = await Promise.all(files.map((file) => stat(file)));
    const now = stamps.map((stamp) => `${stamp.ino}:${stamp.mtimeMs}:${stamp.size}`).join();
    if (seen === now) {
      mended();
      return;
    }
    const content = await load();
    const found = JSON.stringify(content);
    const isNew = found !== inUse;
    if (isNew) use(content);
    inUse = found;
    seen = now; // only after success: a pair that is half written is tried again
    if (!isNew) mended();
    else onRenewed();
    trouble = null;
  }

  function mended(): void {
    if (trouble !== null) onMended();
    trouble = null;
  }

  const look = (): void => {
    isAskedAgain = looking; // what was written since the look under way read the files would be missed
    if (looking) return;
    looking = true;
    compare()
      .catch(() => {
        const wrong = whatIsWrong();
        if (wrong !== trouble) onFailed(wrong);
        trouble = wrong;
      })
      .finally(() => {
        looking = false;
        if (isAskedAgain) look();
      });
  };
  look();
  const timer = setInterval(look, everyMs);
  timer.unref();
  return { look, stop: () => clearInterval(timer) };
}
