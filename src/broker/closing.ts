// Closes what was opened in reverse order, after a stop as after a start that failed halfway.

export interface Closing {
  /** Registers how to close what has just been opened. Not once closing has begun. */
  add(close: () => Promise<void> | void): void;
  /**
   * Closes one after the other, the last opened first. What fails to close does not keep the rest open: the first failure rejects at the end.
   * Idempotent.
   */
  close(): Promise<void>;
}

export function createClosing(): Closing {
  const open: (() => Promise<void> | void)[] = [];
  let closing: Promise<void> | null = null;

  async function closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of open.reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  return {
    add: (close) => void open.push(close),
    close() {
      closing ??= closeAll();
      return closing;
    },
  };
}
