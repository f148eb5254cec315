// Settings that this version reads and checks, and does not act on yet. Whoever builds what one of them asks for deletes its line.
import type { Report, SettingPath } from './report.ts';
import type { ClientSettings, Settings } from './schema.ts';

interface NotYet<T> {
  /** From the top of the file, or from the client app. */
  readonly setting: readonly string[];
  readonly says: string;
  /** The value that is meant, where only one has no effect. */
  readonly value?: T;
}

const OF_THE_DEPLOYMENT: readonly NotYet<boolean>[] = [];

const OF_A_CLIENT: readonly NotYet<string>[] = [
  { setting: ['limits', 'quota'], says: 'is not enforced in this version: nothing is metered' },
];

/** For the documentation: names as the file's reader knows them. */
export const NOT_YET_SETTINGS: readonly { readonly setting: string; readonly says: string }[] = [
  ...OF_THE_DEPLOYMENT.map(({ setting, says }) => ({ setting: setting.join('.'), says })),
  ...OF_A_CLIENT.map(({ setting, says }) => ({ setting: `clients.<name>.${setting.join('.')}`, says })),
];

/** Warns about each setting that was given and has no effect: it must not be taken for protection. */
export function warnAboutNotYet(settings: Settings, report: Report): void {
  warnAbout(OF_THE_DEPLOYMENT, settings, [], report);
  for (const [name, client] of Object.entries(settings.clients))
    warnAbout(OF_A_CLIENT, client, ['clients', name], report);
}

function warnAbout(
  list: readonly NotYet<unknown>[],
  settings: Settings | ClientSettings,
  path: SettingPath,
  report: Report,
): void {
  for (const { setting, says, value } of list) {
    const given = valueAt(settings, setting);
    if (value === undefined ? given !== undefined : given === value) report.warn([...path, ...setting], says);
  }
}

function valueAt(settings: Settings | ClientSettings, path: readonly string[]): unknown {
  let value: unknown = settings;
  for (const key of path) value = (value as Readonly<Record<string, unknown>> | undefined)?.[key];
  return value;
}
