// REQUIRE_HTTPS: plain HTTP is refused unless a trusted proxy says that it was HTTPS on its side.
import type { FastifyRequest } from 'fastify';
import { Problem } from '../errors/problems.ts';

/** Fastify reads `X-Forwarded-Proto` only from peers in `trustProxy`, so nobody else can claim HTTPS. */
export function requireHttps(request: Pick<FastifyRequest, 'protocol'>): void {
  if (!OVER_TLS.has(request.protocol.toLowerCase())) throw new Problem('https_required');
}

/** Traefik says `wss` of a WebSocket that came to it over TLS. */
const OVER_TLS: ReadonlySet<string> = new Set(['https', 'wss']);
