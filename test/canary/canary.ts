// A secret of a test that is searched for afterwards, in everything the broker has put out.
import { randomBytes } from 'node:crypto';

export interface Canary {
  /** What it stands for: `upstream key`, `app key`… */
  readonly name: string;
  readonly value: string;
}

/** @param prefix what secrets of this kind begin with, so that the real code takes it for one */
export function makeCanary(name: string, prefix = ''): Canary {
  return { name, value: prefix + randomBytes(32).toString('base64url') };
}

/** A password as people choose them: with characters that JSON, URLs and shells write differently. */
export function makePasswordCanary(name: string): Canary {
  return { name, value: `p"${randomBytes(9).toString('base64url')}\\/%<é>&'${randomBytes(9).toString('base64url')}` };
}
