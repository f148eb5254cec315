// The type of a result that may be there at once.

/** A promise from a remote store; a plain value from one in this process, so that a request need not wait for a promise. */
export type MaybePromise<T> = T | Promise<T>;
