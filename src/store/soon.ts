// The type of an answer that may be there at once.

/** A value from a store in this process, a promise from a remote one: with the former a request need not wait for a promise. */
export type Soon<T> = T | Promise<T>;
