// The body of POST /access-token: Cartesia's own fields, checked field by field so that the message can name the field.
import { type Static, Type } from 'typebox';
import { GRANTS } from '../config/grant.ts';
import { LIFETIME_MAX_SECONDS } from '../config/token-lifetime.ts';
import { Problem } from '../errors/problems.ts';
import { isJsonObject } from '../json/strict-json.ts';
import type { Wish } from '../policy/policy.ts';

const flag = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]));

export const MintRequestSchema = Type.Object(
  {
    grants: Type.Optional(
      Type.Union([Type.Object({ tts: flag, stt: flag, agent: flag }, { additionalProperties: false }), Type.Null()], {
        description: 'What the token is to give access to. If absent, the default grants of the client app.',
      }),
    ),
    expires_in: Type.Optional(
      Type.Union([Type.Integer({ minimum: 1, maximum: LIFETIME_MAX_SECONDS }), Type.Null()], {
        description: 'Lifetime in seconds, shortened to what the policy allows.',
      }),
    ),
    single_use: Type.Optional(
      Type.Union([Type.Boolean(), Type.Null()], {
        description:
          'Mint a token that can open one WebSocket within a minute, and so may be put into a URL by browsers. Delivery `proxied` only.',
      }),
    ),
  },
  { additionalProperties: false, description: "The same body as Cartesia's POST /access-token." },
);
export type MintRequest = Static<typeof MintRequestSchema>;

/**
 * @param body what the JSON parser made of the request
 * @throws Problem `invalid_request` that names the field
 */
export function readMintRequest(body: unknown): Wish {
  if (!isJsonObject(body)) throw invalid('The body must be a JSON object.');
  for (const key of Object.keys(body)) {
    if (key !== 'grants' && key !== 'expires_in' && key !== 'single_use') {
      throw invalid(
        'The body has a field that this endpoint does not know; it takes "grants", "expires_in" and "single_use".',
      );
    }
  }
  const { grants, expires_in: expiresIn, single_use: singleUse } = body;
  return {
    grants: readGrants(grants),
    expiresInSeconds: readExpiresIn(expiresIn),
    isSingleUse: readSingleUse(singleUse),
  };
}

function readGrants(grants: unknown): NonNullable<Wish['grants']> | null {
  if (grants === undefined || grants === null) return null;
  if (!isJsonObject(grants)) throw invalid('The field "grants" must be an object or null.');
  for (const [key, value] of Object.entries(grants)) {
    if (!(GRANTS as readonly string[]).includes(key)) {
      throw invalid('The field "grants" may hold only "tts", "stt" and "agent".');
    }
    if (typeof value !== 'boolean' && value !== null)
      throw invalid(`The field "grants.${key}" must be true, false or null.`);
  }
  return grants as NonNullable<Wish['grants']>; // every key and value was checked above
}

function readExpiresIn(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > LIFETIME_MAX_SECONDS) {
    throw invalid(`The field "expires_in" must be a whole number of seconds from 1 to ${LIFETIME_MAX_SECONDS}.`);
  }
  return value;
}

function readSingleUse(value: unknown): boolean {
  if (value !== undefined && value !== null && typeof value !== 'boolean') {
    throw invalid('The field "single_use" must be true, false or null.');
  }
  return value === true;
}

function invalid(message: string): Problem {
  return new Problem('invalid_request', message);
}
