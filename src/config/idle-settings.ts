// Warns about settings that do nothing as configured, because whoever has set them relies on them.

import { QUOTA_UNITS } from './budget.ts';
import type { ClientSettings } from './client-schema.ts';
import { GRANTS } from './grant.ts';
import { isCarrying } from './is-carrying.ts';
import type { Report, SettingPath } from './report.ts';
import type { Settings } from './schema.ts';

/** Minted tokens are counted without carrying anything. */
const MEASURED = QUOTA_UNITS.filter((unit) => unit !== 'mints');

/**
 * Warns about settings of carried traffic if none is carried, a queue and reserves for what has no limit, reuse of tokens that are not minted,
 * and Redis TLS files without Redis.
 */
export function warnOfIdleSettings(settings: Settings, report: Report): void {
  warnOfIdleRedisTls(settings, report);
  warnOfIdleReuse(settings, report);
  const apps = Object.entries(settings.clients);
  if (isCarrying(settings)) {
    for (const [name, client] of apps) warnOfIdleReserve(['clients', name], client, settings, report);
    warnOfIdleQueue(settings, report);
    return;
  }
  const paths: SettingPath[] = [
    ['upstream', 'transport'],
    ['limits', 'queue'],
    ['sockets'],
    ...GRANTS.map((kind) => ['upstream', 'concurrency', kind]),
    ...MEASURED.map((unit) => ['limits', 'quota', unit]),
    ...apps.flatMap(([name, client]) => [
      ['clients', name, 'limits', 'concurrency'],
      ...MEASURED.map((unit) => ['clients', name, 'limits', 'quota', unit]),
      ['clients', name, 'sockets'],
      ...(client.reads ? [['clients', name, 'reads']] : []),
    ]),
  ];
  const because = settings.proxy === false ? 'PROXY is false' : 'all delivery is `direct` and PROXY is not set';
  for (const path of paths) {
    if (report.isGiven(path)) report.warn(path, `does nothing: the broker carries nothing while ${because}`);
  }
}

function warnOfIdleRedisTls({ store }: Settings, report: Report): void {
  if (store.redis_url !== undefined || report.isBroken(['store', 'redis_url'])) return;
  for (const name of ['redis_ca_file', 'redis_cert_file', 'redis_key_file'] as const) {
    if (store[name] !== undefined)
      report.warn(['store', name], 'does nothing: state is in memory while REDIS_URL is not set');
  }
}

function warnOfIdleReuse({ tokens, clients }: Settings, report: Report): void {
  if (!tokens.reuse || Object.values(clients).some(({ delivery }) => delivery === 'direct')) return;
  report.warn(['tokens', 'reuse'], 'does nothing: no client app has delivery `direct`');
}

function warnOfIdleQueue({ upstream, clients }: Settings, report: Report): void {
  const isLimited =
    GRANTS.some((grant) => upstream.concurrency[grant] !== undefined) ||
    Object.values(clients).some(
      ({ limits: { concurrency } }) => concurrency?.max !== undefined || concurrency?.per_subject !== undefined,
    );
  if (isLimited || !report.isGiven(['limits', 'queue'])) return;
  report.warn(
    ['limits', 'queue'],
    'does nothing: neither the account (TTS_CONCURRENCY and the like) nor a client app has a limit',
  );
}

function warnOfIdleReserve(
  path: SettingPath,
  { grants, limits }: ClientSettings,
  { upstream }: Settings,
  report: Report,
): void {
  if ((limits.concurrency?.reserved ?? 0) === 0) return;
  if (grants.some((grant) => upstream.concurrency[grant] !== undefined)) return;
  report.warn(
    [...path, 'limits', 'concurrency', 'reserved'],
    'keeps nothing free: the account has no limit (TTS_CONCURRENCY and the like) on what this client app may use',
  );
}
