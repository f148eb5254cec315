// Checks rules within each client app, and between them: no caller may belong to two.

import type { ClientSettings } from './client-schema.ts';
import { hides } from './jwt-reach.ts';
import { languageOf } from './language.ts';
import type { Report, SettingPath } from './report.ts';
import type { Settings } from './schema.ts';
import { asList } from './schema-nodes.ts';

/** Reports contradictions, and settings with which nobody could call. */
export function checkClients({ clients }: Settings, report: Report): void {
  const apps = Object.entries(clients);
  if (apps.length === 0 && !report.isBroken(['clients'])) {
    if (report.isGiven(['clients'])) report.add(['clients'], 'nobody could call: expected at least one client app');
    else reportNobody(report);
  }
  for (const [name, client] of apps) {
    const path = ['clients', name];
    checkWayIn(client, path, report);
    checkTrust(client, path, report);
    checkGrants(client, path, report);
    checkLifetime(client, path, report);
    checkConcurrency(client, path, report);
    checkLanguages(client, path, report);
  }
  checkKeysDiffer(apps, report);
  checkOneAnonymous(apps, report);
  checkJwtRulesReachable(apps, report);
}

function reportNobody(report: Report): void {
  report.addAt(
    { setting: 'CLIENT_KEYS, JWT_ISSUER or ALLOW_ANONYMOUS', file: null },
    'one of them is needed, or `clients` in the file that BROKER_CONFIG names: otherwise nobody could call',
  );
}

type App = readonly [name: string, client: ClientSettings];

function checkWayIn({ auth }: ClientSettings, path: SettingPath, report: Report): void {
  const at = [...path, 'auth'];
  if (auth.keys.length > 0 || auth.jwt.length > 0 || auth.anonymous || report.isBroken(at)) return;
  if (report.isGiven(path)) report.add(at, 'nobody could call: expected `keys`, `jwt` or `anonymous: true`');
  else reportNobody(report);
}

function checkTrust(client: ClientSettings, path: SettingPath, report: Report): void {
  if (!client.trusted || client.auth.keys.length > 0 || report.isBroken([...path, 'auth', 'keys'])) return;
  report.add([...path, 'trusted'], 'expected app keys in `auth.keys`: only callers with an app key may name a subject');
}

function checkGrants(client: ClientSettings, path: SettingPath, report: Report): void {
  if (report.isBroken([...path, 'grants'])) return;
  const surplus = client.default_grants?.some((grant) => !client.grants.includes(grant)) ?? false;
  if (surplus) report.add([...path, 'default_grants'], 'expected only grants that `grants` allows');
  for (const [index, { grants_from: from }] of client.auth.jwt.entries()) {
    if (from === undefined) continue;
    const at = [...report.itemPath([...path, 'auth', 'jwt'], index), 'grants_from', 'map'];
    const granted = Object.values(from.map).flatMap((grants) => asList(grants));
    if (granted.length === 0 && !report.isBroken(at)) {
      report.add(
        at,
        'nobody could have a grant: expected values of the claim with what they grant, such as { speak: tts }',
      );
    }
    if (granted.some((grant) => !client.grants.includes(grant))) {
      report.add(at, 'expected only grants that `grants` allows');
    }
  }
}

function checkLifetime({ ttl }: ClientSettings, path: SettingPath, report: Report): void {
  if (ttl.default === undefined || ttl.default <= ttl.max || report.isBroken([...path, 'ttl'])) return;
  report.add([...path, 'ttl', 'default'], 'expected at most the longest lifetime allowed (TOKEN_TTL_MAX, `ttl.max`)');
}

function checkConcurrency({ limits }: ClientSettings, path: SettingPath, report: Report): void {
  const { reserved = 0, max = Number.POSITIVE_INFINITY, per_subject: perSubject = 0 } = limits.concurrency ?? {};
  const at = [...path, 'limits', 'concurrency'];
  if (reserved > max) report.add([...at, 'reserved'], 'expected at most `max`');
  if (perSubject > max) report.add([...at, 'per_subject'], 'expected at most `max`');
}

/** Languages are compared without their region, so the rule must not have one. */
function checkLanguages({ content }: ClientSettings, path: SettingPath, report: Report): void {
  const at = [...path, 'content', 'languages'];
  for (const [index, language] of (content?.languages ?? []).entries()) {
    if (languageOf(language) === language) continue;
    report.add(
      report.itemPath(at, index),
      'expected a language without a region, such as `en`: it stands for `en-GB` too',
    );
  }
}

/** An app key has to name one client app. */
function checkKeysDiffer(apps: readonly App[], report: Report): void {
  const owners = new Map<string, string>();
  for (const [name, { auth }] of apps) {
    for (const [index, hash] of auth.keys.entries()) {
      const owner = owners.get(hash.toLowerCase());
      const at = report.itemPath(['clients', name, 'auth', 'keys'], index);
      if (owner !== undefined) report.add(at, `the same app key belongs to the client app ${owner}`);
      owners.set(hash.toLowerCase(), name);
    }
  }
}

function checkOneAnonymous(apps: readonly App[], report: Report): void {
  const [first, ...others] = apps.filter(([, { auth }]) => auth.anonymous);
  for (const [name] of others) {
    const wrong = `expected at most one client app: callers without a credential already belong to ${first?.[0]}`;
    report.add(['clients', name, 'auth', 'anonymous'], wrong);
  }
}

/** The first entry that fits a token takes it, in the order of the file: an entry after a wider one would never be reached. */
function checkJwtRulesReachable(apps: readonly App[], report: Report): void {
  const rules = apps.flatMap(([name, { auth }]) =>
    auth.jwt.map((jwt, index) => ({ name, jwt, at: report.itemPath(['clients', name, 'auth', 'jwt'], index) })),
  );
  // Wrong values of these were left out, so the entry would seem to take other tokens than it is meant to.
  const clear = rules.filter(
    ({ at }) => !['issuer', 'audience', 'require'].some((key) => report.isBroken([...at, key])),
  );
  for (const [rank, { at, jwt }] of clear.entries()) {
    const wider = clear.slice(0, rank).find((earlier) => hides(earlier.jwt, jwt));
    if (wider === undefined) continue;
    const wrong = `is never reached: an entry of ${wider.name} before it takes the same tokens; narrow that one with \`require\`, or move it after this one`;
    report.add(at, wrong);
  }
}
