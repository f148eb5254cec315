// When an answer comes.

/** At hand where the store is in this process, on its way where it is elsewhere. A promise is what a request need not wait for here. */
export type Soon<T> = T | Promise<T>;
