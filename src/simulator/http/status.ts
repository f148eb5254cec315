// The simulated endpoint GET /.

import type { Route } from './router.ts';

/** Needs no credential and returns the newest API version. */
export const statusRoute: Route = {
  method: 'GET',
  path: '/',
  requires: 'none',
  handle: (exchange) => exchange.sendJson(200, { ok: true, version: exchange.world.settings.versions.latest }),
};
