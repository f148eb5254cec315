// REQUIRE_HTTPS: refuses plain HTTP unless a trusted proxy says that it received the request over HTTPS.
import type { FastifyRequest } from 'fastify';
import { Problem } from '../errors/problems.ts';

/** Fastify reads `X-Forwarded-Proto` only from peers in `trustProxy`, so nobody else can claim HTTPS. */
export function requireHttps(request: Pick<FastifyRequest, 'protocol'>): void {
  if (!OVER_TLS.has(request.protocol.toLowerCase())) throw new Problem('https_required');
}

/** Traefik reports `wss` for a WebSocket that reached it over TLS. */
const OVER_TLS: ReadonlySet<string> = new Set(['https', 'wss']);
