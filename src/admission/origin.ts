// Which web pages may call on behalf of a client app.
import type { ClientConfig } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';

/**
 * Only keeps other sites' pages from using a visitor's session: programs other than browsers send no Origin, or any they like.
 * @param own the origin that every client app accepts; `null` = none
 * @throws Problem `origin_not_allowed`
 */
export function checkOrigin(origin: string, client: ClientConfig, own: string | null): void {
  if (client.origins.includes(origin)) return;
  // A browser always writes it in the same way; apps take it from the URL that they connect to: `wss:`, a default port, capitals.
  if (own !== null && URL.parse(origin.replace(/^ws/, 'http'))?.origin === own) return;
  throw new Problem('origin_not_allowed');
}
