// Which web pages may call on behalf of a client app.
import type { ClientConfig } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';

/**
 * Only keeps other sites' pages from using a visitor's session: programs other than browsers send no Origin, or any they like.
 * @throws Problem `origin_not_allowed`
 */
export function checkOrigin(origin: string | undefined, client: ClientConfig): void {
  if (origin !== undefined && !client.origins.includes(origin)) throw new Problem('origin_not_allowed');
}
