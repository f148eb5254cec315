// Decides which client app a JWT belongs to.
import type { ClientConfig, JwtConfig } from '../../config/config.ts';
import { type Claims, isForAudience, meetsRequirements } from './claims.ts';

/** One entry of `auth.jwt` of one client app. */
export interface JwtRule {
  readonly client: string;
  readonly jwt: JwtConfig;
}

export type RuleChoice<R extends JwtRule> =
  | { readonly outcome: 'chosen'; readonly rule: R }
  | { readonly outcome: 'none'; readonly reason: string };

/** In the order of the configuration, which is the order in which they are tried. */
export function jwtRules(clients: readonly ClientConfig[]): readonly JwtRule[] {
  return clients.flatMap((client) => client.auth.jwt.map((jwt) => ({ client: client.name, jwt })));
}

/**
 * The first rule whose issuer, audience and required claims fit. Where several client apps share an issuer and an audience, the
 * one with the narrower `require` must stand first: the order of the file decides, as in a firewall.
 */
export function chooseRule<R extends JwtRule>(rules: readonly R[], claims: Claims): RuleChoice<R> {
  const ofIssuer = rules.filter((rule) => rule.jwt.issuer === claims['iss']);
  if (ofIssuer.length === 0) return { outcome: 'none', reason: 'jwt_issuer' };
  const forUs = ofIssuer.filter((rule) => isForAudience(claims, rule.jwt.audience));
  if (forUs.length === 0) return { outcome: 'none', reason: 'jwt_audience' };
  const rule = forUs.find((candidate) => meetsRequirements(claims, candidate.jwt.require));
  return rule === undefined ? { outcome: 'none', reason: 'jwt_require' } : { outcome: 'chosen', rule };
}
