// Checks and reads the claims of a JWT. Pure.
import type { JwtConfig } from '../../config/config.ts';
import { GRANTS, type Grant } from '../../config/grant.ts';
import { isJsonObject } from '../../json/strict-json.ts';
import { isSubject, MAX_SUBJECT_LENGTH } from '../subject.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** Epoch seconds. */
export interface Validity {
  readonly expiresAt: number;
  /** `-Infinity` if the token does not say. */
  readonly notBefore: number;
}

/**
 * Reads `exp` (required), `nbf` and `iat`. Either of the latter makes a token from the future invalid.
 * @returns the reason for refusal as a string, otherwise the times between which the token is valid
 */
export function readValidity(claims: Claims): Validity | string {
  const { exp, nbf, iat } = claims;
  if (exp === undefined) return 'jwt_exp_missing';
  const starts = [nbf, iat].filter((time) => time !== undefined);
  if (!isTime(exp) || !starts.every(isTime)) return 'jwt_time_malformed';
  return { expiresAt: exp, notBefore: Math.max(Number.NEGATIVE_INFINITY, ...starts) };
}

/** JSON.parse reads 1e309 as Infinity, which would be a token that never expires. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** The reason for refusal; `null` = valid now. */
export function timeComplaint(validity: Validity, nowSeconds: number, toleranceSeconds: number): string | null {
  if (validity.expiresAt <= nowSeconds - toleranceSeconds) return 'jwt_expired';
  if (validity.notBefore > nowSeconds + toleranceSeconds) return 'jwt_not_yet_valid';
  return null;
}

/** `aud` is a string or a list of strings (RFC 7519 §4.1.3); one of them must be ours. */
export function isForAudience(claims: Claims, audience: readonly string[]): boolean {
  const { aud } = claims;
  if (typeof aud === 'string') return audience.includes(aud);
  if (!Array.isArray(aud) || !aud.every((item) => typeof item === 'string')) return false;
  return aud.some((item) => audience.includes(item));
}

/** Whether every claim named in `require` is there with one of its values. Numbers and booleans are compared as JSON writes them. */
export function meetsRequirements(claims: Claims, require: JwtConfig['require']): boolean {
  return Object.entries(require).every(([path, allowed]) => {
    const values = claimTexts(claimAt(claims, path), SPACE_SEPARATED.has(path));
    return values.some((value) => allowed.includes(value));
  });
}

/** What the token allows at most. A missing claim allows nothing; without a rule the token limits nothing (`null`). */
export function grantsFromClaims(claims: Claims, rule: JwtConfig['grantsFrom']): readonly Grant[] | null {
  if (rule === null) return null;
  const given = new Set<Grant>();
  for (const text of claimTexts(claimAt(claims, rule.claim), true)) {
    if (Object.hasOwn(rule.map, text)) for (const grant of rule.map[text] ?? []) given.add(grant);
  }
  return GRANTS.filter((grant) => given.has(grant));
}

/** The user's name for logs, limits and tokens; `null` if the claim is missing or not printable ASCII text. */
export function subjectFromClaims(claims: Claims, path: string): string | null {
  const subject = claimAt(claims, path);
  return typeof subject === 'string' && isSubject(subject, MAX_SUBJECT_LENGTH) ? subject : null;
}

/**
 * The claim at a path such as `realm_access.roles`. A name that itself has dots (`https://example.com/roles`) wins over a
 * path through objects; only own members count, so that `constructor` is not a claim.
 */
export function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  for (let dot = path.indexOf('.'); dot !== -1; dot = path.indexOf('.', dot + 1)) {
    const head = path.slice(0, dot);
    const inner = Object.hasOwn(claims, head) ? claims[head] : undefined;
    const value = isJsonObject(inner) ? claimAt(inner, path.slice(dot + 1)) : undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}

/** RFC 8693 §4.2 and Microsoft's spelling of it. Other claims may hold sentences, whose words must not count separately. */
const SPACE_SEPARATED: ReadonlySet<string> = new Set(['scope', 'scp']);

function claimTexts(value: unknown, splitOnSpace: boolean): string[] {
  if (typeof value === 'string') return splitOnSpace ? value.split(' ') : [value];
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)];
  return Array.isArray(value) ? value.flatMap((item) => (Array.isArray(item) ? [] : claimTexts(item, false))) : [];
}
