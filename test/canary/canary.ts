// A random secret for a test; afterwards, everything the broker has put out is searched for it.
import { randomBytes } from 'node:crypto';

export interface Canary {
  /** What it stands for: `upstream key`, `app key`… */
  readonly name: string;
  readonly value: string;
}

/** @param prefix what secrets of this kind start with, so that the real code accepts it as one */
export function makeCanary(name: string, prefix = ''): Canary {
  return { name, value: prefix + randomBytes(32).toString('base64url') };
}

/** A password as people choose them: with characters that JSON, URLs and shells write differently. */
export function makePasswordCanary(name: string): Canary {
  return { name, value: `p"${randomBytes(9).toString('base64url')}\\/%<é>&'${randomBytes(9).toString('base64url')}` };
}
