// Warns about settings that do nothing as configured, because whoever has set them relies on them.

import { QUOTA_UNITS, type QuotaUnit } from './budget.ts';
import type { ClientSettings } from './client-schema.ts';
import { GRANTS, type Grant } from './grant.ts';
import { isCarrying } from './is-carrying.ts';
import { isTree, type Report, type SettingPath } from './report.ts';
import type { Settings } from './schema.ts';
import { settingAt } from './setting-index.ts';

/** Minted tokens are counted without carrying anything. */
type Measured = Exclude<QuotaUnit, 'mints'>;
const MEASURED = QUOTA_UNITS.filter((unit): unit is Measured => unit !== 'mints');

/** The grant that consumes each unit. */
const CONSUMERS: Readonly<Record<Measured, Grant>> = { characters: 'tts', audio_seconds: 'stt', call_seconds: 'agent' };

/** Settings of a client app that concern only endpoints of some grants. */
const CONCERNS: readonly (readonly [setting: readonly string[], grants: readonly Grant[]])[] = [
  [
    ['content', 'models'],
    ['tts', 'stt'],
  ],
  [
    ['content', 'languages'],
    ['tts', 'stt'],
  ],
  [['content', 'voices'], ['tts']],
  [['content', 'formats'], ['tts']],
  [['content', 'max_transcript'], ['tts']],
  [['content', 'agents'], ['agent']],
  [['content', 'agent_overrides'], ['agent']],
  [['sockets', 'max_contexts'], ['tts']],
  [['sockets', 'max_characters'], ['tts']],
  ...MEASURED.map((unit) => [['limits', 'quota', unit], [CONSUMERS[unit]]] as const),
];

const NO_LIMIT = 'the account has no limit (TTS_CONCURRENCY and the like) on what this client app may use';

/** Adds nothing while there are problems: a wrong value was left out, so what depends on it would only seem to do nothing. */
export function warnOfIdleSettings(settings: Settings, report: Report): void {
  if (report.problems.length > 0) return;
  const warn: Warn = (path, because, what = 'does nothing') => {
    if (report.isGiven(path) && !isDefault(path, settings)) report.warn(path, `${what}: ${because}`);
  };
  warnOfStore(settings, warn);
  warnOfUpstream(settings, warn);
  warnOfDeliveries(settings, warn);
  if (settings.management.admin_token === undefined)
    warn(['usage', 'prices'], 'nothing shows costs while ADMIN_TOKEN is not set');
  if (isCarrying(settings)) warnOfLimits(settings, warn);
  else warnOfAllCarrying(settings, warn);
  for (const [name, client] of Object.entries(settings.clients)) {
    const ofClient: Warn = (path, ...why) => warn(['clients', name, ...path], ...why);
    const because = whyNotCarried(settings, client);
    if (because !== null) warnOfCarriedClient(client, ofClient, because);
    else {
      warnOfClient(client, ofClient);
      warnOfShare(name, client, settings, ofClient);
    }
  }
}

/** Warns if the setting is given and not merely its default written out. */
type Warn = (path: SettingPath, because: string, what?: string) => void;

function isDefault(path: SettingPath, settings: Settings): boolean {
  const node = settingAt(path)?.node;
  if (node === undefined || !('default' in node)) return false;
  const value = path.reduce<unknown>((holder, key) => (isTree(holder) ? holder[key] : undefined), settings);
  return JSON.stringify(value) === JSON.stringify(node.default);
}

function warnOfStore({ store }: Settings, warn: Warn): void {
  if (store.redis_url !== undefined) return;
  const because = 'state is in memory while REDIS_URL is not set';
  for (const name of ['redis_ca_file', 'redis_cert_file', 'redis_key_file', 'prefix']) warn(['store', name], because);
}

function warnOfUpstream({ upstream }: Settings, warn: Warn): void {
  const isSecure = new URL(upstream.base_url).protocol === 'https:';
  if (isSecure) warn(['upstream', 'allow_insecure'], 'CARTESIA_BASE_URL is https://');
  else warn(['upstream', 'ca_file'], 'CARTESIA_BASE_URL is http://');
}

function warnOfDeliveries(settings: Settings, warn: Warn): void {
  const deliveries = Object.values(settings.clients).map(({ delivery }) => delivery);
  if (!deliveries.includes('direct')) {
    const because = 'no client app has delivery `direct`';
    warn(['tokens', 'reuse'], because);
    for (const name of ['timeout', 'connections']) warn(['upstream', name], because);
  }
  // Where traffic is carried, tokens that were minted before or elsewhere are verified, and sockets may come from our own origin.
  if (deliveries.includes('proxied') || isCarrying(settings)) return;
  const because = 'no client app has delivery `proxied`';
  warn(['tokens', 'signing_secret'], because);
  warn(['listen', 'public_url'], because);
}

function warnOfAllCarrying(settings: Settings, warn: Warn): void {
  const because = whyNothingIsCarried(settings);
  warn(['upstream', 'transport'], because);
  warn(['limits', 'queue'], because);
  warn(['sockets'], because);
  for (const kind of GRANTS) warn(['upstream', 'concurrency', kind], because);
  for (const unit of MEASURED) warn(['limits', 'quota', unit], because);
}

function whyNothingIsCarried({ proxy }: Settings): string {
  return `the broker carries nothing while ${proxy === false ? 'PROXY is false' : 'all delivery is `direct` and PROXY is not set'}`;
}

/** `null`: its traffic is carried. */
function whyNotCarried(settings: Settings, { delivery, auth }: ClientSettings): string | null {
  if (!isCarrying(settings)) return whyNothingIsCarried(settings);
  if (delivery === 'proxied' || auth.keys.length > 0 || auth.jwt.length > 0) return null;
  return 'callers without a credential are carried only with delivery `proxied`';
}

function warnOfCarriedClient(client: ClientSettings, warn: Warn, because: string): void {
  warn(['limits', 'concurrency'], because);
  for (const unit of MEASURED) warn(['limits', 'quota', unit], because);
  warn(['sockets'], because);
  warn(['reads'], because);
  warn(['auth', 'query_credentials'], because);
  if (client.delivery === 'proxied') warn(['content'], because); // with `direct` there is a warning of its own
}

function warnOfClient({ auth, grants }: ClientSettings, warn: Warn): void {
  if (auth.keys.length === 0 && auth.jwt.length === 0)
    warn(['auth', 'query_credentials'], 'this client app has neither app keys nor JWTs');
  for (const [setting, needed] of CONCERNS)
    if (!needed.some((grant) => grants.includes(grant)))
      warn(setting, `this client app does not have the grant ${needed.map((grant) => `\`${grant}\``).join(' or ')}`);
}

/** Limits of the whole account. */
function warnOfLimits({ upstream, clients }: Settings, warn: Warn): void {
  const apps = Object.values(clients);
  const without = (grant: Grant): boolean => !apps.some(({ grants }) => grants.includes(grant));
  for (const grant of GRANTS) {
    if (without(grant)) warn(['upstream', 'concurrency', grant], `no client app has the grant \`${grant}\``);
  }
  for (const unit of MEASURED) {
    const grant = CONSUMERS[unit];
    if (without(grant)) warn(['limits', 'quota', unit], `no client app has the grant \`${grant}\``);
  }
  const limited = GRANTS.filter((grant) =>
    apps.some(
      ({ grants, limits: { concurrency } }) =>
        grants.includes(grant) &&
        (upstream.concurrency[grant] ?? concurrency?.max ?? concurrency?.per_subject) !== undefined,
    ),
  );
  if (limited.length === 0)
    warn(['limits', 'queue'], 'neither the account (TTS_CONCURRENCY and the like) nor a client app has a limit');
  else if (!limited.includes('tts'))
    warn(
      ['limits', 'queue', 'context_wait'],
      'nothing limits generations, and nothing else waits on an open WebSocket',
    );
}

/** A share of what the account may run at a time matters only if it has a limit that another client app meets too. */
function warnOfShare(
  name: string,
  { grants, limits }: ClientSettings,
  { upstream, clients }: Settings,
  warn: Warn,
): void {
  const others = Object.entries(clients).flatMap(([other, client]) => (other === name ? [] : client.grants));
  const limited = grants.filter((grant) => upstream.concurrency[grant] !== undefined);
  if (limited.some((grant) => others.includes(grant))) return;
  const because = limited.length === 0 ? NO_LIMIT : 'no other client app may use the same';
  const at = ['limits', 'concurrency'];
  if (limits.concurrency?.reserved !== 0) warn([...at, 'reserved'], because, 'keeps nothing free');
  warn([...at, 'weight'], because);
  warn([...at, 'priority'], because);
}
