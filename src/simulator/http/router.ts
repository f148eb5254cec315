// Finds the route of a request and checks the credential that the route requires.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { authenticate, type Caller, type Requirement } from '../credentials.ts';
import { problem } from '../problems.ts';
import type { World } from '../world.ts';
import { applyFault } from './apply-fault.ts';
import { Exchange, ExchangeOver } from './exchange.ts';

export interface RouteCall {
  /** Decoded values of the `{name}` parts of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly caller: Caller;
}

/** One endpoint. `path` must match as a whole, including any trailing slash; `{name}` stands for one segment. */
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly requires: Requirement;
  readonly handle: (exchange: Exchange, call: RouteCall) => Promise<void>;
}

/** Handles every request of a server by a table of routes. */
export function createRequestHandler(
  world: World,
  routes: readonly Route[],
): (request: IncomingMessage, response: ServerResponse) => void {
  const compiled = routes.map((route) => ({ route, match: pathMatcher(route.path) }));
  return (request, response) => {
    const exchange = new Exchange(world, request, response);
    answer(exchange, compiled).catch((error: unknown) => giveUp(exchange, error));
  };
}

/** Makes a function that returns the parameters of a path that matches the pattern, or null. */
export function pathMatcher(pattern: string): (path: string) => Readonly<Record<string, string>> | null {
  const names = [...pattern.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const source = pattern.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{\w+\}/g, '([^/]+)');
  const expression = new RegExp(`^${source}$`);
  return (path) => {
    const match = expression.exec(path);
    return match && Object.fromEntries(names.map((name, index) => [name, decoded(match[index + 1] ?? '')]));
  };
}

type Compiled = { readonly route: Route; readonly match: ReturnType<typeof pathMatcher> };

async function answer(exchange: Exchange, routes: readonly Compiled[]): Promise<void> {
  const { world, request, path } = exchange;
  if (!(await applyFault(exchange))) return;
  if (request.method === 'OPTIONS' && world.settings.cors) return answerPreflight(exchange);
  for (const { route, match } of routes) {
    const params = route.method === request.method ? match(path) : null;
    if (params === null) continue;
    const authentication = authenticate(world, request, route.requires);
    if (authentication.outcome === 'refused') return exchange.sendProblem(authentication.problem);
    return route.handle(exchange, { params, caller: authentication.caller });
  }
  return exchange.sendProblem(problem(world.settings, 'not_found', { message: 'There is no such endpoint.' }));
}

function answerPreflight(exchange: Exchange): Promise<void> {
  return exchange.send(204, '', {
    'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': String(exchange.request.headers['access-control-request-headers'] ?? '*'),
    'access-control-max-age': '600',
  });
}

/** A client that left is not a failure. A bug in the simulator becomes a 500, or a reset if the response had begun. */
function giveUp(exchange: Exchange, error: unknown): void {
  if (error instanceof ExchangeOver || exchange.signal.aborted) return;
  if (exchange.started) {
    exchange.endConnection('reset');
    return;
  }
  const message = error instanceof Error ? `Simulator: ${error.stack}` : 'Simulator: unknown failure';
  exchange.sendProblem(problem(exchange.world.settings, 'unexpected', { message })).catch(() => {});
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
