// Which browser pages may call in a client app's name.
import type { ClientConfig } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';

/**
 * Programs that are no browsers send no Origin, and an Origin is no proof of anything from them: this keeps other people's pages
 * from using a visitor's session, no more.
 * @throws Problem `origin_not_allowed`
 */
export function checkOrigin(origin: string | undefined, client: ClientConfig): void {
  if (origin !== undefined && !client.origins.includes(origin)) throw new Problem('origin_not_allowed');
}
