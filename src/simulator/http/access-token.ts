// The simulated endpoint POST /access-token.

import { isRecord } from '../is-record.ts';
import { GRANTS, type Grants } from '../settings.ts';
import type { Exchange } from './exchange.ts';
import { type BodyRead, invalid, readJson } from './request-body.ts';
import type { Route } from './router.ts';

/** Mints an access token. @see https://docs.cartesia.ai/api-reference/auth/access-token */
export const accessTokenRoute: Route = {
  method: 'POST',
  path: '/access-token',
  requires: 'api_key',
  handle: mint,
};

async function mint(exchange: Exchange): Promise<void> {
  const { settings, tokens, clock } = exchange.world;
  const body = await readJson(exchange);
  if (body.outcome === 'refused') return exchange.sendProblem(body.problem);
  const seconds = readSeconds(exchange, body.value['expires_in']);
  if (seconds.outcome === 'refused') return exchange.sendProblem(seconds.problem);
  const grants = readGrants(exchange, body.value['grants']);
  if (grants.outcome === 'refused') return exchange.sendProblem(grants.problem);
  const token = tokens.sign({ grants: grants.value, seconds: seconds.value, nowMs: clock.now() });
  await exchange.delay(settings.latency.mintMs);
  await exchange.sendJson(200, { token });
}

function readSeconds(exchange: Exchange, value: unknown): BodyRead<number> {
  const { defaultSeconds, maximumSeconds } = exchange.world.settings.tokens;
  if (value === undefined || value === null) return { outcome: 'read', value: defaultSeconds };
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    return invalid(exchange, '✖ Invalid input: expected a positive integer\n  → at expires_in');
  }
  if (value > maximumSeconds)
    return invalid(exchange, `✖ Too big: expected number to be <=${maximumSeconds}\n  → at expires_in`);
  return { outcome: 'read', value };
}

/** Only grants that are on are written into a token, as in Cartesia's published sample. */
function readGrants(exchange: Exchange, value: unknown): BodyRead<Partial<Grants>> {
  const { grantsWhenOmitted } = exchange.world.settings.tokens;
  const asked = value ?? grantsWhenOmitted;
  if (!isRecord(asked)) return invalid(exchange, '✖ Invalid input: expected object\n  → at grants');
  const grants: Partial<Grants> = {};
  for (const name of GRANTS) {
    const flag = asked[name] ?? false;
    if (typeof flag !== 'boolean') return invalid(exchange, `✖ Invalid input: expected boolean\n  → at grants.${name}`);
    if (flag) grants[name] = true;
  }
  return { outcome: 'read', value: grants };
}
