// Loads the configuration from the environment and the file that it may name, or reports everything that is wrong with it at once.
import { buildConfig } from './build-config.ts';
import { cautionAbout } from './cautions.ts';
import { checkSettings } from './check.ts';
import { checkClients } from './client-rules.ts';
import type { Config } from './config.ts';
import { readConfigFile, resolveFiles } from './config-file.ts';
import { checkDeployment } from './deployment-rules.ts';
import { type Environment, readEnvironment } from './environment.ts';
import { checkForeignVariables } from './foreign-variables.ts';
import { checkIssuers } from './issuer-rule.ts';
import { type ConfigProblem, emptyTree, Report, type Tree } from './report.ts';
import { CONFIG_FILE_VARIABLE } from './schema.ts';
import { secretFilesOf } from './secret-files.ts';

export { type ConfigProblem, formatProblem } from './report.ts';

/** Problems and warnings name settings and places, never values. Only `refused` has `problems`. */
export type LoadedConfig =
  | { readonly outcome: 'loaded'; readonly config: Config; readonly warnings: readonly ConfigProblem[] }
  | {
      readonly outcome: 'refused';
      readonly problems: readonly ConfigProblem[];
      readonly warnings: readonly ConfigProblem[];
    };

/**
 * Reads the settings of the environment, and of the file that `BROKER_CONFIG` names. Where both set what concerns the whole
 * deployment, the environment wins; client apps are described by only one of the two.
 *
 * Never rejects: an unreadable file is a problem like any other.
 */
export async function loadConfig(env: Environment): Promise<LoadedConfig> {
  const report = new Report();
  checkForeignVariables(env, report);
  const configFile = env[CONFIG_FILE_VARIABLE];
  const fromFile: Tree | undefined = configFile ? await readConfigFile(configFile, report) : emptyTree();

  const tree = fromFile ?? emptyTree();
  // If the file cannot be read, its client apps are unknown; those of the environment are checked all the same.
  readEnvironment(env, tree, report);
  if (configFile && fromFile) resolveFiles(tree, configFile, report);

  const settings = checkSettings(tree, report);
  if (fromFile) {
    checkDeployment(settings, report);
    checkClients(settings, report);
    checkIssuers(tree, report);
    cautionAbout(settings, report);
  }
  const { problems, warnings } = report;
  if (problems.length > 0) return { outcome: 'refused', problems, warnings };
  return { outcome: 'loaded', config: buildConfig(settings, secretFilesOf(report)), warnings };
}
