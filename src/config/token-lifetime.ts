// How long an access token may live, whoever mints it.

/** Cartesia's limit; the broker's own tokens keep to it, too. */
export const LIFETIME_MAX_SECONDS = 3_600;
