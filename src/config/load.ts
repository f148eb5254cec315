// From the environment, and the file it may name, to the configuration; or to everything that is wrong with it, at once.
// The only reader of both.
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
 * Reads the settings of the environment, over those of the file that `BROKER_CONFIG` names. Both may set what concerns the whole
 * deployment, then the environment counts; client apps are described by one of the two.
 *
 * Never rejects: an unreadable file is a problem like any other.
 */
export async function loadConfig(env: Environment): Promise<LoadedConfig> {
  const report = new Report();
  checkForeignVariables(env, report);
  const configFile = env[CONFIG_FILE_VARIABLE];
  const fromFile: Tree | undefined = configFile ? await readConfigFile(configFile, report) : emptyTree();

  const tree = fromFile ?? emptyTree();
  // Without the file nobody knows which client apps it describes: those of the environment are checked all the same.
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
