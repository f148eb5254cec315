// Compares the tokens that two entries of `auth.jwt` take. The first entry that fits a token takes it.
import type { JwtSettings } from './client-schema.ts';
import { asList } from './schema-nodes.ts';

export type JwtReach = Pick<JwtSettings, 'issuer' | 'audience' | 'require'>;

/** Whether every token that fits `later` fits `earlier` too, so that `later` is never reached. */
export function hides(earlier: JwtReach, later: JwtReach): boolean {
  const audiences = asList(earlier.audience);
  return (
    earlier.issuer === later.issuer &&
    asList(later.audience).every((audience) => audiences.includes(audience)) &&
    Object.entries(earlier.require ?? {}).every(([claim, allowed]) => {
      const demanded = later.require?.[claim];
      return demanded !== undefined && asList(demanded).every((value) => asList(allowed).includes(value));
    })
  );
}
