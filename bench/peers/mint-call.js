// What both minting peers do: check the user's JWT with jose, then mint at upstream with fetch.
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { UPSTREAM } from './listener.js';

const keys = createRemoteJWKSet(new URL(process.env.JWKS_URL));
const { ISSUER: issuer, AUDIENCE: audience } = process.env;

export async function isGenuine(authorization = '') {
  try {
    await jwtVerify(authorization.slice('Bearer '.length), keys, { algorithms: ['ES256', 'RS256'], issuer, audience });
    return true;
  } catch {
    return false;
  }
}

export async function mint() {
  const answer = await fetch(`${UPSTREAM}/access-token`, {
    method: 'POST',
    headers: {
      authorization: 'Bearer sk_car_bench',
      'content-type': 'application/json',
      'cartesia-version': '2026-03-01',
    },
    body: JSON.stringify({ grants: { tts: true }, expires_in: 300 }),
  });
  const { token } = await answer.json();
  return { token };
}
