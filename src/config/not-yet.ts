// Settings that this version reads and checks, and does not act on yet. Whoever builds what one of them asks for deletes its line.
import type { Report, SettingPath } from './report.ts';
import type { ClientSettings, Settings } from './schema.ts';

interface NotYet {
  readonly setting: readonly string[];
  readonly says: string;
}

const OF_THE_DEPLOYMENT: readonly NotYet[] = [
  { setting: ['upstream', 'concurrency', 'tts'], says: 'is not enforced in this version: nothing limits generations' },
  {
    setting: ['upstream', 'concurrency', 'stt'],
    says: 'is not enforced in this version: nothing limits transcriptions',
  },
  { setting: ['store', 'redis_url'], says: 'is not used in this version: state is in memory, so run one replica' },
  { setting: ['proxy'], says: "has no effect in this version: Cartesia's own paths are not served" },
];

const OF_A_CLIENT: readonly NotYet[] = [
  { setting: ['content'], says: 'is not enforced in this version: models, voices and lengths are not restricted' },
  { setting: ['limits', 'concurrency'], says: 'is not enforced in this version' },
  { setting: ['limits', 'quota'], says: 'is not enforced in this version: nothing is metered' },
];

const PROXIED =
  "tokens of delivery `proxied` open nothing in this version: Cartesia's own paths are not served by the broker yet";

/** Warns about each setting that was given and has no effect: it must not be taken for protection. */
export function warnAboutNotYet(settings: Settings, report: Report): void {
  for (const { setting, says } of OF_THE_DEPLOYMENT) if (isOn(settings, setting)) report.warn(setting, says);
  for (const [name, client] of Object.entries(settings.clients)) {
    const path: SettingPath = ['clients', name];
    for (const { setting, says } of OF_A_CLIENT) if (isOn(client, setting)) report.warn([...path, ...setting], says);
    if (client.delivery === 'proxied') report.warn([...path, 'delivery'], PROXIED);
  }
}

/** Given, and not just switched off. */
function isOn(settings: Settings | ClientSettings, path: readonly string[]): boolean {
  let value: unknown = settings;
  for (const key of path) value = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
  return value !== undefined && value !== false;
}
