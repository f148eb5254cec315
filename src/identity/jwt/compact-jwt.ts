// Decodes a JWT, before anything in it is trusted.

import { readJsonObject } from '../../json/strict-json.ts';
import { MAX_CREDENTIAL_LENGTH } from '../credentials.ts';

/** The content is unverified until the signature over `signingInput` has been checked. */
export interface CompactJwt {
  readonly outcome: 'decoded';
  readonly alg: string;
  readonly kid: string | undefined;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly signingInput: Buffer;
  readonly signature: Buffer;
}

export type Decoding = CompactJwt | { readonly outcome: 'malformed'; readonly reason: string };

/**
 * Decodes a signed JWT in compact form (RFC 7515 §7.1): three parts of canonical base64url, a header that requires nothing
 * unsupported, and a JSON object as payload. Encrypted tokens (five parts) are `malformed`.
 */
export function decodeJwt(rawToken: string): Decoding {
  if (rawToken.length > MAX_CREDENTIAL_LENGTH) return malformed('jwt_too_long');
  const [encodedHeader, encodedPayload, encodedSignature, ...more] = rawToken.split('.');
  if (!encodedHeader || !encodedPayload || !encodedSignature || more.length > 0) return malformed('jwt_parts');

  const headerBytes = decodeBase64url(encodedHeader);
  const payloadBytes = decodeBase64url(encodedPayload);
  const signature = decodeBase64url(encodedSignature);
  if (headerBytes === null || payloadBytes === null || signature === null) return malformed('jwt_base64url');

  const header = readJsonObject(headerBytes);
  if (header === null) return malformed('jwt_header_json');
  const complaint = headerComplaint(header);
  if (complaint !== null) return malformed(complaint);
  const payload = readJsonObject(payloadBytes);
  if (payload === null) return malformed('jwt_payload_json');

  const signingInput = Buffer.from(rawToken.slice(0, rawToken.lastIndexOf('.')), 'latin1');
  return {
    outcome: 'decoded',
    alg: header['alg'] as string, // headerComplaint has checked both
    kid: header['kid'] as string | undefined,
    payload,
    signingInput,
    signature,
  };
}

/**
 * Types of token that are meant to be presented to a service: plain JWTs and access tokens (RFC 9068 §2.1). Others, such as
 * `logout+jwt` or `dpop+jwt`, may be signed by the same issuer for another purpose (RFC 8725 §3.11).
 */
const TYPES: ReadonlySet<string> = new Set(['jwt', 'application/jwt', 'at+jwt', 'application/at+jwt']);

function headerComplaint(header: Readonly<Record<string, unknown>>): string | null {
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string') return 'jwt_alg_missing';
  if (kid !== undefined && typeof kid !== 'string') return 'jwt_kid_malformed';
  if (typ !== undefined && (typeof typ !== 'string' || !TYPES.has(typ.toLowerCase()))) return 'jwt_typ';
  // No extension is implemented, so none can be honoured (RFC 7515 §4.1.11); `b64` is one of them (RFC 7797).
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) return 'jwt_crit';
  return null;
}

/** Accepts only the canonical encoding: Buffer alone would ignore foreign characters, padding and stray bits. */
function decodeBase64url(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : null;
}

function malformed(reason: string): Decoding {
  return { outcome: 'malformed', reason };
}
