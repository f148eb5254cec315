// Knows which secrets came from files, and reads those files again.
import { checkSetting } from './check.ts';
import type { RenewableSecret, SecretFile } from './config.ts';
import { Report } from './report.ts';
import { asList } from './schema-nodes.ts';
import { Secret } from './secret.ts';
import { readSecretFile } from './secret-file.ts';
import { settingAt } from './setting-index.ts';
import { parseText } from './setting-text.ts';

/** The secrets that are renewed without a restart, with the paths of their settings. */
const RENEWABLE = {
  api_key: ['upstream', 'api_key'],
  admin_token: ['management', 'admin_token'],
  signing_secret: ['tokens', 'signing_secret'],
  redis_url: ['store', 'redis_url'],
} as const satisfies Readonly<Record<RenewableSecret, readonly string[]>>;

/** What a file holds now (at least one secret), or what is wrong with it, without quoting the content. */
export type FoundSecrets = { readonly secrets: readonly Secret[] } | { readonly wrong: string };

/** The files that the settings in use came from. */
export function secretFilesOf(report: Report): readonly SecretFile[] {
  return Object.entries(RENEWABLE).flatMap(([secret, path]) => {
    const { setting, secretFile } = report.placeOf(path);
    return secretFile === undefined ? [] : [{ secret: secret as RenewableSecret, setting, path: secretFile }];
  });
}

/** Reads a file again, by the same rules as at start. */
export function readSecrets({ secret, path: file }: SecretFile): FoundSecrets {
  const read = readSecretFile(file);
  if ('wrong' in read) return read;
  const path = RENEWABLE[secret];
  const setting = settingAt(path);
  if (setting === undefined) throw new TypeError('a renewable secret is a setting');
  const report = new Report();
  const value = checkSetting(setting.node, parseText(setting.node, read.text), path, report);
  const { problems } = report;
  if (problems.length > 0) return { wrong: problems.map(({ message }) => message).join('; ') };
  return { secrets: asList(value as string | readonly string[]).map((text) => new Secret(text)) };
}
