// Endpoints that require an admin key.

import { type Problem, problem } from '../problems.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';

/** Usage, keys and organisation: all empty, but with the errors that Cartesia's reference shows. */
export const organizationRoutes: readonly Route[] = [
  admin('GET', '/usage/credits', (exchange) => exchange.sendJson(200, { data: [], has_more: false })),
  admin('GET', '/usage/agents', (exchange) => exchange.sendJson(200, { data: [], has_more: false })),
  admin('GET', '/api-keys', listOf),
  admin('GET', '/api-keys/{id}', missing('API key')),
  admin('GET', '/organizations/users', listOf),
  admin('GET', '/organizations/users/{id}', missing('User')),
  admin('DELETE', '/organizations/users/{id}', missing('User')),
  admin('GET', '/organizations/invites', listInvites),
  admin('POST', '/organizations/invites', (exchange) =>
    exchange.sendJson(201, { id: 'invite_simulated', status: 'pending' }),
  ),
  admin('GET', '/organizations/invites/{id}', missing('Invite')),
  admin('DELETE', '/organizations/invites/{id}', missing('Invite')),
];

function admin(method: string, path: string, handle: Route['handle']): Route {
  return { method, path, requires: 'admin_key', handle };
}

/** Refuses both cursors at once, with a body that has no `error_code` at all. */
function listOf(exchange: Exchange): Promise<void> {
  const { query } = exchange;
  if (!(query.has('ending_before') && query.has('starting_after'))) {
    return exchange.sendJson(200, { data: [], has_more: false });
  }
  return sendWithoutCode(exchange, {
    ...problem(exchange.world.settings, 'invalid_request'),
    message: '✖ Cannot specify both ending_before and starting_after parameters',
  });
}

const INVITE_STATES = ['pending', 'accepted', 'revoked', 'expired'];

function listInvites(exchange: Exchange): Promise<void> {
  const status = exchange.query.get('status');
  if (status === null || INVITE_STATES.includes(status)) return listOf(exchange);
  const options = INVITE_STATES.map((state) => `"${state}"`).join('|');
  const message = `✖ Invalid option: expected one of ${options}\n  → at status`;
  return exchange.sendProblem(problem(exchange.world.settings, 'invalid_request', { message }));
}

function missing(thing: string): Route['handle'] {
  const text = {
    title: `${thing} not found`,
    message: `The ${thing === 'API key' ? thing : thing.toLowerCase()} does not exist in this organization.`,
  };
  return (exchange) => exchange.sendProblem(problem(exchange.world.settings, 'not_found', text));
}

function sendWithoutCode(exchange: Exchange, cause: Problem): Promise<void> {
  if (!exchange.version.structured) return exchange.sendProblem(cause);
  const { status, title, message } = cause;
  return exchange.sendJson(status, { request_id: exchange.requestId, message, title });
}
