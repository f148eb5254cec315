// The simulated endpoint POST /v1/agents/websocket/{agent_id}/sessions.

import { isRecord } from '../is-record.ts';
import type { Exchange } from './exchange.ts';
import { invalid, readJson } from './request-body.ts';
import type { Route, RouteCall } from './router.ts';

/**
 * Fixes the variables and overrides of one call. The names of the response's fields are not public; these are assumed.
 * @see https://docs.cartesia.ai/api-reference/agents/create-websocket-session
 */
export const agentSessionRoute: Route = {
  method: 'POST',
  path: '/v1/agents/websocket/{agent_id}/sessions',
  requires: 'api_key',
  handle: create,
};

const SESSION_SECONDS = 300;

async function create(exchange: Exchange, { params }: RouteCall): Promise<void> {
  const { clock, agentSessions } = exchange.world;
  const body = await readJson(exchange);
  if (body.outcome === 'refused') return exchange.sendProblem(body.problem);
  const dynamicVariables = body.value['dynamic_variables'] ?? {};
  const configOverrides = body.value['config_overrides'] ?? {};
  if (!isRecord(dynamicVariables) || !isRecord(configOverrides)) {
    const { problem } = invalid(
      exchange,
      '✖ Invalid input: expected object\n  → at dynamic_variables, config_overrides',
    );
    return exchange.sendProblem(problem);
  }
  const expiresAt = clock.now() + SESSION_SECONDS * 1000;
  const agentId = params['agent_id'] ?? '';
  const token = agentSessions.create({ agentId, dynamicVariables, configOverrides, expiresAt });
  await exchange.sendJson(200, { session_token: token, expires_in: SESSION_SECONDS });
}
