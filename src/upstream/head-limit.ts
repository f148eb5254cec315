// The limit on the head of every response from Cartesia.

/** Node's own default for a head; a constant because `--max-http-header-size` can raise the default. */
export const HEAD_MAX_BYTES = 16_384;
