// Decides whether the broker serves Cartesia's own paths.
import type { Settings } from './schema.ts';

/** As PROXY says; where it is not set, as soon as a client app's tokens are for use here. */
export function isCarrying({ proxy, clients }: Settings): boolean {
  return proxy ?? Object.values(clients).some(({ delivery }) => delivery === 'proxied');
}
