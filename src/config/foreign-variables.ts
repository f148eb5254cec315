// Checks variables that the schema does not know: misspelt ones of ours, and the one of Node's that undoes the check of certificates.
import type { Environment } from './environment.ts';
import { nameFinder } from './near-name.ts';
import type { Report } from './report.ts';
import { CONFIG_FILE_VARIABLE } from './schema.ts';
import { SETTING_BY_VARIABLE } from './setting-index.ts';

/** Warns about variables that look like ours and are not; refuses the one that switches off the check of certificates. */
export function checkForeignVariables(env: Environment, report: Report): void {
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    report.addAt(
      { setting: 'NODE_TLS_REJECT_UNAUTHORIZED', file: null },
      'must not be 0: the API key would be sent to any server that answers. For a private certificate authority set `upstream.ca_file`, or `REDIS_CA_FILE` for Redis',
    );
  }
  for (const [name, value] of Object.entries(env)) {
    if (!value || KNOWN.has(name) || OTHERS.has(name)) continue;
    const says = whatIsWrongWith(name);
    if (says !== undefined) report.warnAt({ setting: name, file: null }, says);
  }
}

const KNOWN: ReadonlySet<string> = new Set([
  CONFIG_FILE_VARIABLE,
  ...[...SETTING_BY_VARIABLE].flatMap(([name, { isSecret }]) => (isSecret ? [name, `${name}_FILE`] : [name])),
]);

/** Common variables that resemble ours by chance. */
const OTHERS: ReadonlySet<string> = new Set(['SSL_CERT_FILE']);

const nearestKnown = nameFinder(KNOWN);

/** First words that only our variables have. */
const OUR_PREFIX = /^(?:CARTESIA|BROKER|CLIENT_KEYS?|TRUSTED_CLIENTS?|MANAGEMENT|JWT|TOKEN|MINT)_/;

/** Variables that Kubernetes sets for services of these names, such as CARTESIA_BROKER_PORT_8080_TCP_ADDR. */
const SERVICE_LINK = /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT|PORT_\d+_(?:TCP|UDP)(?:_(?:PROTO|PORT|ADDR))?)$/;

function whatIsWrongWith(name: string): string | undefined {
  const withoutFile = name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : undefined;
  if (withoutFile !== undefined && SETTING_BY_VARIABLE.has(withoutFile)) {
    return `is not read: only secrets can be given as files, and ${withoutFile} is not one`;
  }
  const near = KNOWN.has(`${name}_FILE`) ? `${name}_FILE` : nearestKnown(name);
  if (near !== undefined) return `is not a setting of the broker: did you mean ${near}?`;
  return OUR_PREFIX.test(name) && !SERVICE_LINK.test(name)
    ? `is not a setting of the broker: the nearest is ${resembling(name)}`
    : undefined;
}

/** The known name with the same first word and the most words in common, then the longest common beginning: for more than a slip. */
function resembling(name: string): string {
  const words = name.split('_');
  let best = { name: '', likeness: 0, beginning: 0 };
  for (const known of KNOWN) {
    const theirs = known.split('_');
    if (theirs[0] !== words[0]) continue;
    const common = theirs.filter((word) => words.includes(word)).length;
    const likeness = common / new Set([...words, ...theirs]).size;
    const beginning = commonBeginning(known, name);
    if (likeness < best.likeness || (likeness === best.likeness && beginning <= best.beginning)) continue;
    best = { name: known, likeness, beginning };
  }
  return best.name;
}

function commonBeginning(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}
