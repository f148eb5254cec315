// .env.example: every variable, each explained in one line.
import { CONFIG_FILE_DESCRIPTION, CONFIG_FILE_VARIABLE, SETTINGS_SCHEMA } from '../../src/config/schema.ts';
import { SETTINGS, type Setting } from '../../src/config/setting-index.ts';
import { variablePresetText, variableSentence } from './setting-words.ts';

const INTRODUCTION = `# Settings of cartesia-broker. Copy this file to .env, which npm start reads, and fill in the API key and who may call.
# Lines that begin with # show the default. An empty variable counts as not set.
# A secret X can be read from a file instead: X_FILE=/run/secrets/x. Details: docs/configuration.md
`;

export function envExample(): string {
  const groups = Map.groupBy(
    SETTINGS.filter(({ variable }) => variable !== undefined),
    ({ path }) => path[0] ?? '',
  );
  const order = ['upstream', 'clients', ...groups.keys()];
  const sections = [...new Set(order)].map((name) => sectionOf(name, groups.get(name) ?? []));
  const file = `# --- Many client apps\n\n# ${CONFIG_FILE_DESCRIPTION}\n#${CONFIG_FILE_VARIABLE}=\n`;
  return [INTRODUCTION, ...sections, file].join('\n');
}

function sectionOf(name: string, settings: readonly Setting[]): string {
  return `# --- ${titleOf(name)}\n\n${settings.map(entryOf).join('\n')}`;
}

function titleOf(name: string): string {
  const title = TITLES.get(name);
  if (title !== undefined) return title;
  const group = Object.entries(SETTINGS_SCHEMA.properties).find(([key]) => key === name);
  return (group?.[1].description ?? name).replace(/\.$/, '');
}

const TITLES = new Map([
  ['clients', 'Who may call, and what they may do'],
  ['proxy', "Cartesia's own paths"],
]);

function entryOf(setting: Setting): string {
  const { node, variable, isSecret } = setting;
  const isList = 'anyOf' in node || ('items' in node && node['x-env-description'] === undefined);
  const words = [
    variableSentence(setting),
    ...(isList ? ['Separated by commas.'] : []),
    ...(node['x-default'] === undefined ? [] : [`Default: ${node['x-default']}.`]),
    ...(isSecret ? [`Or ${variable}_FILE.`] : []),
  ];
  const mark = variable === 'CARTESIA_API_KEY' ? '' : '#';
  return `# ${words.join(' ').replaceAll('`', '')}\n${mark}${variable}=${variablePresetText(setting)}\n`;
}
