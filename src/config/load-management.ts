// Loads only the address of the management listener and the token of its admin API, for commands that query a running broker.
// A running broker goes on if a file of its settings becomes missing or wrong, and so do these commands.
import { buildManagementConfig } from './build-config.ts';
import { checkSetting } from './check.ts';
import type { Config } from './config.ts';
import { readConfigFile, resolveFiles } from './config-file.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { type ConfigProblem, emptyTree, isTree, Report, type Tree } from './report.ts';
import { CONFIG_FILE_VARIABLE, SETTINGS_SCHEMA, type Settings } from './schema.ts';
import { SETTINGS } from './setting-index.ts';

type Member = keyof Settings['management'];

export type LoadedManagement =
  | {
      readonly outcome: 'loaded';
      readonly management: Config['management'];
      /** Why the configuration file could not be read, in which case the environment and the defaults are used. */
      readonly doubts: readonly ConfigProblem[];
    }
  | { readonly outcome: 'refused'; readonly problems: readonly ConfigProblem[] };

/**
 * Never rejects, and looks only at what is needed: other settings may be wrong, other files missing.
 * @param needed the settings that the command uses; the others are those of an empty configuration
 */
export async function loadManagement(env: Environment, needed: readonly Member[]): Promise<LoadedManagement> {
  const ofFile = new Report();
  const report = new Report();
  const configFile = env[CONFIG_FILE_VARIABLE];
  const fromFile = configFile ? await readConfigFile(configFile, ofFile) : undefined;
  const tree = emptyTree();
  tree['management'] = chosen(fromFile?.['management'], needed);
  readEnvironment(chosenVariables(env, needed), tree, report);
  if (configFile) resolveFiles(tree, configFile, report);
  const settings = checkSetting(SETTINGS_SCHEMA.properties.management, tree['management'], ['management'], report);
  if (settings === undefined || report.problems.length > 0) return { outcome: 'refused', problems: report.problems };
  const management = buildManagementConfig(settings as Settings['management']); // just checked
  return { outcome: 'loaded', management, doubts: ofFile.problems };
}

function chosen(settings: unknown, needed: readonly Member[]): Tree {
  const tree = emptyTree();
  if (!isTree(settings)) return tree;
  for (const key of needed.flatMap((name) => [name, `${name}_file`])) if (key in settings) tree[key] = settings[key];
  return tree;
}

function chosenVariables(env: Environment, needed: readonly Member[]): Environment {
  const names = SETTINGS.filter(
    ({ path: [group, name] }) => group === 'management' && needed.some((one) => one === name),
  ).flatMap(({ variable }) => (variable === undefined ? [] : [variable, `${variable}_FILE`]));
  return Object.fromEntries(names.map((name) => [name, env[name]]));
}
