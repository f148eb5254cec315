// Reads the configuration file, and the files that it names.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isTree, type Report, type SettingPath, settingName, type Tree } from './report.ts';
import { CONFIG_FILE_VARIABLE } from './schema.ts';
import { fileTrouble, readSecretFile, shownPath } from './secret-file.ts';
import { ANY, SETTINGS, type Setting } from './setting-index.ts';
import { parseText } from './setting-text.ts';
import { parseYaml } from './yaml-values.ts';

const MAX_BYTES = 1_048_576;

/** The file's values, with their places in the report; `undefined` after reporting why it could not be read. */
export async function readConfigFile(path: string, report: Report): Promise<Tree | undefined> {
  const source = readText(path, report);
  if (source === undefined) return undefined;
  const read = await parseYaml(source);
  if ('troubles' in read) {
    for (const { at, message } of read.troubles) {
      report.addAt({ setting: CONFIG_FILE_VARIABLE, file: { path, ...at } }, message);
    }
    return undefined;
  }
  const { value, positions } = read;
  if (!isTree(value)) {
    const file = { path, line: 1, column: 1 };
    report.addAt({ setting: CONFIG_FILE_VARIABLE, file }, 'expected settings by name (a mapping)');
    return undefined;
  }
  for (const [at, position] of positions) {
    report.setPlace(at, { setting: settingName(at), file: { path, ...position } });
  }
  return value;
}

/** Puts the content of secrets' files (`api_key_file`) where the secret belongs. Paths are relative to the configuration file's directory. */
export function resolveFiles(tree: Tree, configFile: string, report: Report): void {
  const directory = dirname(resolve(configFile));
  for (const setting of SETTINGS) {
    for (const { holder, path } of holdersOf(tree, setting.path, [])) {
      if (setting.isSecret) resolveSecret(holder, path, setting, directory, report);
      else if ('x-kind' in setting.node && setting.node['x-kind'] === 'path') {
        const value = holder[String(path.at(-1))];
        // A path from a variable is relative to the working directory, as usual.
        const isOfFile = report.placeOf(path).file !== null;
        if (typeof value === 'string' && isOfFile) holder[String(path.at(-1))] = resolve(directory, value);
      }
    }
  }
}

/** Each mapping that may contain the last key of `pattern`. */
function* holdersOf(holder: unknown, pattern: readonly string[], above: SettingPath): HolderWalk {
  if (!isTree(holder)) return;
  const [key = '', ...rest] = pattern;
  if (rest.length === 0) yield { holder, path: [...above, key] };
  else
    for (const name of key === ANY ? Object.keys(holder) : [key])
      yield* holdersOf(holder[name], rest, [...above, name]);
}
type HolderWalk = Generator<{ readonly holder: Tree; readonly path: SettingPath }>;

function resolveSecret(holder: Tree, path: SettingPath, setting: Setting, directory: string, report: Report): void {
  const name = String(path.at(-1));
  const fileKey = `${name}_file`;
  if (!(fileKey in holder)) return;
  const filePath = [...path.slice(0, -1), fileKey];
  const file = holder[fileKey];
  delete holder[fileKey];
  if (name in holder) {
    report.add(filePath, `is given twice: use ${name} or ${fileKey}`);
  } else if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    report.add(filePath, 'expected the path of a file');
  } else {
    const secretFile = resolve(directory, file);
    const read = readSecretFile(secretFile, file);
    if ('text' in read) {
      holder[name] = parseText(setting.node, read.text);
      report.setPlace(path, { ...report.placeOf(filePath), secretFile });
      return;
    }
    report.add(filePath, read.wrong);
  }
  report.markBroken(path);
}

function readText(path: string, report: Report): string | undefined {
  const place = { setting: CONFIG_FILE_VARIABLE, file: null };
  try {
    const bytes = readFileSync(path);
    if (bytes.length <= MAX_BYTES) return bytes.toString('utf8');
    report.addAt(place, `${shownPath(path)} is larger than ${MAX_BYTES} bytes`);
  } catch (error) {
    report.addAt(place, `cannot read ${shownPath(path)}: ${fileTrouble(error)}`);
  }
  return undefined;
}
