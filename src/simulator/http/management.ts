// Endpoints that manage an account. A broker must never let clients reach them, which a test can prove from the journal.

import { problem } from '../problems.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';

/**
 * What there is to manage. Nothing is stored, so the rows determine the responses: lists are empty, what is created gets an id and
 * is forgotten, and anything with an id in its path is not found. Rows with a fixed word come before those with `{…}` in its place.
 */
const MANAGED: Readonly<Record<string, readonly string[]>> = {
  'Pronunciation dictionary': [
    'GET /pronunciation-dicts/',
    'POST /pronunciation-dicts/',
    'GET /pronunciation-dicts/{id}',
    'PATCH /pronunciation-dicts/{id}',
    'DELETE /pronunciation-dicts/{id}',
  ],
  Dataset: [
    'GET /datasets/',
    'POST /datasets/',
    'GET /datasets/{id}',
    'PATCH /datasets/{id}',
    'DELETE /datasets/{id}',
    'GET /datasets/{id}/files',
    'POST /datasets/{id}/files',
    'DELETE /datasets/{id}/files/{file_id}',
  ],
  File: ['GET /files', 'POST /files', 'GET /files/{id}/info', 'DELETE /files/{id}'],
  'Fine-tune': ['GET /fine-tunes/', 'GET /fine-tunes/{id}', 'DELETE /fine-tunes/{id}', 'GET /fine-tunes/{id}/voices'],
  Voice: [
    'POST /voices/',
    'POST /voices/clone',
    'POST /voices/create',
    'POST /voices/localize',
    'POST /voices/mix',
    'PATCH /voices/{id}',
    'DELETE /voices/{id}',
    'PATCH /voices/{id}/accents',
    'DELETE /voices/{id}/accents/{accent_id}',
  ],
  Batch: [
    'GET /agents/calls/batches',
    'POST /agents/calls/batches',
    'GET /agents/calls/batches/{batch_id}',
    'POST /agents/calls/batches/{batch_id}/cancel',
    'POST /agents/calls/batches/{batch_id}/retry',
  ],
  Call: [
    'GET /agents/calls',
    'POST /agents/calls',
    'GET /agents/calls/{call_id}',
    'DELETE /agents/calls/{call_id}',
    'POST /agents/calls/{call_id}/cancel',
    'GET /agents/calls/{call_id}/audio',
  ],
  Provider: [
    'GET /agents/phone-numbers/providers',
    'POST /agents/phone-numbers/providers',
    'GET /agents/phone-numbers/providers/{id}',
    'PATCH /agents/phone-numbers/providers/{id}',
    'DELETE /agents/phone-numbers/providers/{id}',
  ],
  'Phone number': [
    'GET /agents/phone-numbers',
    'POST /agents/phone-numbers',
    'POST /agents/phone-numbers/provision',
    'GET /agents/phone-numbers/{id}',
    'PATCH /agents/phone-numbers/{id}',
    'DELETE /agents/phone-numbers/{id}',
  ],
  Metric: [
    'GET /agents/metrics',
    'POST /agents/metrics',
    'GET /agents/metrics/results',
    'GET /agents/metrics/{metric_id}',
    'DELETE /agents/metrics/{metric_id}',
    'POST /agents/{agent_id}/metrics/{metric_id}',
    'DELETE /agents/{agent_id}/metrics/{metric_id}',
  ],
  Deployment: ['GET /agents/deployments/{deployment_id}'],
  Tool: [
    'GET /v1/agents/tools',
    'POST /v1/agents/tools',
    'GET /v1/agents/tools/{tool_id}',
    'PATCH /v1/agents/tools/{tool_id}',
    'DELETE /v1/agents/tools/{tool_id}',
  ],
  Agent: [
    'GET /agents/{agent_id}',
    'PATCH /agents/{agent_id}',
    'DELETE /agents/{agent_id}',
    'GET /agents/{agent_id}/phone-numbers',
    'GET /agents/{agent_id}/deployments',
    'GET /v1/agents',
    'POST /v1/agents',
    'GET /v1/agents/models',
    'GET /v1/agents/{agent_id}',
    'PATCH /v1/agents/{agent_id}',
    'DELETE /v1/agents/{agent_id}',
    'GET /v1/agents/{agent_id}/versions',
    'GET /v1/agents/{agent_id}/versions/{version_id}',
  ],
};

/** All but one require an API key. */
export const managementRoutes: readonly Route[] = [
  special('GET', '/agents', (exchange) => exchange.sendJson(200, { summaries: [] })),
  special('GET', '/agents/metrics/results/export', exportResults),
  special('POST', '/fine-tunes/', createFineTune),
  // Needs no credential.
  {
    method: 'GET',
    path: '/agents/templates',
    requires: 'none',
    handle: (exchange) => exchange.sendJson(200, { templates: [] }),
  },
  ...Object.entries(MANAGED).flatMap(([thing, rows]) => rows.map((row) => routeOf(thing, row))),
];

function special(method: string, path: string, handle: Route['handle']): Route {
  return { method, path, requires: 'api_key', handle };
}

function routeOf(thing: string, row: string): Route {
  const [method = '', path = ''] = row.split(' ');
  if (path.includes('{')) return special(method, path, (exchange) => sendNotFound(exchange, thing));
  if (method === 'GET')
    return special(method, path, (exchange) => exchange.sendJson(200, { data: [], has_more: false }));
  return special(method, path, (exchange) => sendCreated(exchange, thing));
}

function sendNotFound(exchange: Exchange, thing: string): Promise<void> {
  const text = { title: `${thing} not found`, message: `The ${thing.toLowerCase()} does not exist.` };
  return exchange.sendProblem(problem(exchange.world.settings, 'not_found', text));
}

function sendCreated(exchange: Exchange, thing: string): Promise<void> {
  const id = `${thing.toLowerCase().replaceAll(/\W/g, '_')}_${exchange.requestId}`;
  return exchange.sendJson(200, { id, created_at: new Date(exchange.world.clock.now()).toISOString() });
}

/** The plans that may train voices. */
const TRAINING_PLANS: readonly string[] = ['startup', 'scale'];

function createFineTune(exchange: Exchange): Promise<void> {
  const { settings } = exchange.world;
  if (TRAINING_PLANS.includes(settings.plan)) return sendCreated(exchange, 'Fine-tune');
  return exchange.sendProblem(problem(settings, 'plan_upgrade_required'));
}

function exportResults(exchange: Exchange): Promise<void> {
  const headers = { 'content-type': 'text/csv', 'x-has-more': 'false' };
  return exchange.send(200, 'call_id,metric_id,value\n', headers);
}
