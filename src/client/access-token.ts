// The broker's response to a mint, in the form an app uses.

/** `token` and `baseURL` are what `new Cartesia({ token, baseURL })` takes. */
export interface AccessToken {
  readonly token: string;
  /** Cartesia (delivery `direct`) or the broker (`proxied`). */
  readonly baseURL: string;
  /** The same place for WebSockets. */
  readonly websocketURL: string;
  /** What the token permits. */
  readonly grants: { readonly tts: boolean; readonly stt: boolean; readonly agent: boolean };
  readonly delivery: 'direct' | 'proxied';
  /** When it expires, in epoch milliseconds of this device's clock, even if that clock is wrong. */
  readonly expiresAt: number;
}

/** A token as received; its times count from just before the request was sent. */
export interface MintedToken {
  readonly access: AccessToken;
  readonly lifeMs: number;
  /** Time after which the next token is due. */
  readonly refreshMs: number;
}

/**
 * @param body JSON, as parsed
 * @param askedAtMs epoch milliseconds of this device, before the request
 * @returns null if this is not a broker's response
 */
export function readAccessToken(body: unknown, askedAtMs: number): MintedToken | null {
  if (typeof body !== 'object' || body === null) return null;
  const answer = body as Readonly<Record<string, unknown>>; // every field is checked
  const { token, expires_in: seconds, refresh_in: refresh, base_url: baseURL, websocket_url: websocketURL } = answer;
  if (typeof token !== 'string' || typeof baseURL !== 'string' || typeof websocketURL !== 'string') return null;
  if (typeof seconds !== 'number' || typeof refresh !== 'number') return null;
  const lifeMs = seconds * 1000;
  const granted = (answer['grants'] ?? {}) as Readonly<Record<string, unknown>>; // a missing flag is false
  return {
    access: {
      token,
      baseURL,
      websocketURL,
      grants: { tts: granted['tts'] === true, stt: granted['stt'] === true, agent: granted['agent'] === true },
      delivery: answer['delivery'] === 'proxied' ? 'proxied' : 'direct',
      expiresAt: askedAtMs + lifeMs,
    },
    lifeMs,
    refreshMs: refresh * 1000,
  };
}
