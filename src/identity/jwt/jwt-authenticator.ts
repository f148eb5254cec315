// Authenticates the apps' users by JWTs from issuers that the configuration names.
import type { ClientConfig } from '../../config/config.ts';
import {
  type Authentication,
  type Authenticator,
  type Credential,
  NOT_RESPONSIBLE,
  refused,
} from '../authenticator.ts';
import type { Principal } from '../principal.ts';
import { grantsFromClaims, readValidity, subjectFromClaims, timeComplaint, type Validity } from './claims.ts';
import { chooseRule, type JwtRule, jwtRules } from './client-rules.ts';
import { type CompactJwt, decodeJwt } from './compact-jwt.ts';
import { createJsonFetcher, type JsonFetcher } from './json-fetcher.ts';
import { createKeySet, type KeySet, type KeySetEvent, type KeySetTiming } from './key-set.ts';
import { createKeySetSource } from './key-set-source.ts';
import { SUPPORTED_ALGORITHMS } from './verification-key.ts';
import { createVerifiedTokens, type VerifiedTokensLimits } from './verified-tokens.ts';

export interface JwtAuthenticator extends Authenticator {
  /** Loads all key sets before the first token comes. Never rejects: an issuer that is down is asked again later. */
  warm(): Promise<void>;
  close(): Promise<void>;
}

export interface JwtAuthenticatorOptions {
  readonly clients: readonly ClientConfig[];
  /** Epoch milliseconds. */
  readonly now?: () => number;
  readonly monotonicNow?: () => number;
  /** PEM of the certificate authorities to trust for issuers, in place of Node's. */
  readonly ca?: string;
  readonly timing?: Partial<KeySetTiming>;
  readonly cache?: Partial<VerifiedTokensLimits>;
  readonly onEvent?: (event: KeySetEvent) => void;
}

interface Rule extends JwtRule {
  readonly keySet: KeySet;
}

/** A token that is valid except that its signature has not been checked. */
interface Candidate {
  readonly credential: Credential;
  readonly jwt: CompactJwt;
  readonly rule: Rule;
  readonly validity: Validity;
  readonly subject: string;
}

/**
 * Verifies signed JWTs (RFC 7519) against the key sets of their issuers. The claims are checked first, since that costs almost
 * nothing: only a token that they would let in causes a signature check, and only an unknown key or a signature mismatch then causes a
 * fetch. An expired token is `unauthenticated` like any other bad one. An unknown key is `refused` if the key set is current, and
 * `unavailable` if it could not be fetched.
 * @throws on an algorithm that is not supported
 */
export function createJwtAuthenticator(options: JwtAuthenticatorOptions): JwtAuthenticator {
  const { clients, now = Date.now, cache } = options;
  const fetcher = createJsonFetcher(options.ca === undefined ? {} : { ca: options.ca });
  const keySets = new Map<string, KeySet>();
  const rules = checkedRules(clients).map((rule) => ({ ...rule, keySet: keySetFor(rule, keySets, fetcher, options) }));
  const verified = createVerifiedTokens(cache);
  const nowSeconds = () => Math.floor(now() / 1_000);

  function conclude(candidate: Candidate): Authentication | Doubt {
    const { credential, jwt, rule, validity } = candidate;
    const key = rule.keySet.find(jwt.alg, jwt.kid);
    if (key === 'unknown') return 'unknown_key';
    if (key === 'ambiguous') return refused('jwt_key_ambiguous');
    if (!key.verify(jwt.signingInput, jwt.signature)) return 'other_signature';
    const answer: Authentication = Object.freeze({ outcome: 'authenticated', principal: principalOf(candidate) });
    const { toleranceSeconds } = rule.jwt;
    verified.remember(credential, { answer, validity, toleranceSeconds, isTrusted: () => rule.keySet.trusts(key) });
    return answer;
  }

  async function concludeAfter(refresh: Promise<void>, candidate: Candidate): Promise<Authentication> {
    await refresh;
    // The fetch may have taken seconds.
    const { validity, rule } = candidate;
    const complaint = timeComplaint(validity, nowSeconds(), rule.jwt.toleranceSeconds);
    if (complaint !== null) return refused(complaint);
    const answer = conclude(candidate);
    return typeof answer === 'string' ? resolve(answer, rule) : answer;
  }

  return {
    authenticate(credential) {
      if (credential === null || rules.length === 0 || !LOOKS_LIKE_JWT.test(credential.rawToken))
        return NOT_RESPONSIBLE;
      const seen = verified.recall(credential, nowSeconds());
      if (seen !== undefined) return seen;
      const candidate = examine(credential, rules, nowSeconds());
      if (typeof candidate === 'string') return refused(candidate);
      const answer = conclude(candidate);
      if (typeof answer !== 'string') return answer;
      const refresh = candidate.rule.keySet.refresh();
      return refresh === null ? resolve(answer, candidate.rule) : concludeAfter(refresh, candidate);
    },
    async warm() {
      await Promise.all([...keySets.values()].map((keySet) => keySet.warm()));
    },
    async close() {
      for (const keySet of keySets.values()) keySet.close();
      await fetcher.close();
    },
  };
}

/** Base64url of a text that begins with an opening brace, then a dot. App keys, an operator's own included, look different. */
const LOOKS_LIKE_JWT = /^e[w-z][\w-]*\./;

/** Checks everything that needs no key. @returns the reason for refusal as a string, or the candidate */
function examine(credential: Credential, rules: readonly Rule[], nowSeconds: number): Candidate | string {
  const jwt = decodeJwt(credential.rawToken);
  if (jwt.outcome === 'malformed') return jwt.reason;
  const choice = chooseRule(rules, jwt.payload);
  if (choice.outcome === 'none') return choice.reason;
  const { rule } = choice;
  if (!rule.jwt.algorithms.includes(jwt.alg)) return 'jwt_alg';
  const validity = readValidity(jwt.payload);
  if (typeof validity === 'string') return validity;
  const complaint = timeComplaint(validity, nowSeconds, rule.jwt.toleranceSeconds);
  if (complaint !== null) return complaint;
  const subject = subjectFromClaims(jwt.payload, rule.jwt.subjectClaim);
  return subject === null ? 'jwt_subject' : { credential, jwt, rule, validity, subject };
}

/**
 * Failures that newer keys could resolve. A signature mismatch is one: if an issuer gives its keys no id, or all the same one, a new
 * key looks like the old one.
 */
type Doubt = 'unknown_key' | 'other_signature';

/** The answer if there are no newer keys. */
function resolve(doubt: Doubt, rule: Rule): Authentication {
  if (doubt === 'other_signature') return refused('jwt_signature');
  return rule.keySet.isCurrent()
    ? refused('jwt_key_unknown')
    : { outcome: 'unavailable', reason: 'key_set_unavailable' };
}

/** Shared by all requests that bring the same token, hence frozen. */
function principalOf({ jwt, rule, validity, subject }: Candidate): Principal {
  return Object.freeze({
    client: rule.client,
    subject,
    method: 'jwt',
    claims: deepFreeze(jwt.payload),
    grants: grantsFromClaims(jwt.payload, rule.jwt.grantsFrom),
    expiresAt: Math.floor(validity.expiresAt),
  });
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}

function checkedRules(clients: readonly ClientConfig[]): readonly JwtRule[] {
  const rules = jwtRules(clients);
  for (const { client, jwt } of rules) {
    const foreign = jwt.algorithms.find((alg) => !SUPPORTED_ALGORITHMS.includes(alg));
    if (foreign !== undefined) throw new Error(`Client app ${client} lists the unsupported JWT algorithm ${foreign}`);
  }
  return rules;
}

/** Rules that use the same keys share one key set, and so one fetch. */
function keySetFor(
  { jwt: { issuer, jwksUrl } }: JwtRule,
  keySets: Map<string, KeySet>,
  fetcher: JsonFetcher,
  { onEvent, monotonicNow, timing }: JwtAuthenticatorOptions,
): KeySet {
  const name = JSON.stringify([issuer, jwksUrl]);
  const known = keySets.get(name);
  if (known !== undefined) return known;
  const source = createKeySetSource({ issuer, jwksUrl }, fetcher);
  const keySet = createKeySet({
    issuer,
    source,
    ...(onEvent && { onEvent }),
    ...(monotonicNow && { monotonicNow }),
    ...(timing && { timing }),
  });
  keySets.set(name, keySet);
  return keySet;
}
