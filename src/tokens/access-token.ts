// The response of POST /access-token.
import { Type } from 'typebox';
import type { Delivery } from '../config/config.ts';
import type { Grant } from '../config/grant.ts';

/** A token as a minter made it. */
export interface AccessToken {
  readonly token: string;
  /** Epoch milliseconds, counted from before the upstream call. */
  readonly expiresAtMs: number;
  /** The lifetime that was granted, seconds. */
  readonly lifetimeSeconds: number;
}

/** Where a client uses its token. */
export interface Destination {
  readonly delivery: Delivery;
  /** For `new Cartesia({ baseURL })`; no trailing slash. */
  readonly baseUrl: string;
  /** The same place for WebSockets. */
  readonly websocketUrl: string;
}

export const AccessTokenSchema = Type.Object(
  {
    token: Type.String({ description: 'Goes into `new Cartesia({ token })`.' }),
    expires_in: Type.Integer({
      description: 'Seconds of life left. Less than was asked for if the policy allows no more.',
    }),
    expires_at: Type.String({
      format: 'date-time',
      description: 'RFC 3339, counted from just before Cartesia was asked.',
    }),
    refresh_in: Type.Integer({ description: 'Seconds after which a client should ask for its next token.' }),
    grants: Type.Object(
      { tts: Type.Boolean(), stt: Type.Boolean(), agent: Type.Boolean() },
      { description: 'What the token gives access to: speech, transcription, agents.' },
    ),
    delivery: Type.Enum(['direct', 'proxied'], {
      description: '`direct`: a token of Cartesia. `proxied`: a token of the broker.',
    }),
    base_url: Type.String({ description: 'Goes into `new Cartesia({ baseURL })`.' }),
    websocket_url: Type.String({ description: 'The same address for WebSockets.' }),
    cartesia_version: Type.String({ description: 'The API version the token was made for.' }),
  },
  { additionalProperties: false },
);

/** Whole seconds, rounded up. */
export function secondsLeft({ expiresAtMs, lifetimeSeconds }: AccessToken, nowMs: number): number {
  return Math.min(lifetimeSeconds, Math.max(0, Math.ceil((expiresAtMs - nowMs) / 1000)));
}

/** Ask again when a fifth of the lifetime is left: one slow or failed mint then goes unnoticed. */
const REFRESH_AT = 0.8;

export interface AccessTokenAnswer {
  readonly token: string;
  readonly expires_in: number;
  readonly expires_at: string;
  readonly refresh_in: number;
  readonly grants: { readonly tts: boolean; readonly stt: boolean; readonly agent: boolean };
  readonly delivery: Delivery;
  readonly base_url: string;
  readonly websocket_url: string;
  readonly cartesia_version: string;
}

/** @param nowMs epoch milliseconds: time that upstream took, or that passed since an earlier request, is no longer left */
export function accessTokenAnswer(
  made: AccessToken,
  grants: readonly Grant[],
  destination: Destination,
  version: string,
  nowMs: number,
): AccessTokenAnswer {
  const left = secondsLeft(made, nowMs);
  return {
    token: made.token,
    expires_in: left,
    expires_at: new Date(made.expiresAtMs).toISOString(),
    refresh_in: Math.max(1, Math.floor(left * REFRESH_AT)),
    grants: { tts: grants.includes('tts'), stt: grants.includes('stt'), agent: grants.includes('agent') },
    delivery: destination.delivery,
    base_url: destination.baseUrl,
    websocket_url: destination.websocketUrl,
    cartesia_version: version,
  };
}

/** `https://host/path/` -> base URL without the slash, and its WebSocket twin. */
export function destination(delivery: Delivery, url: string): Destination {
  const baseUrl = url.replace(/\/+$/, '');
  return { delivery, baseUrl, websocketUrl: baseUrl.replace(/^http/, 'ws') };
}
