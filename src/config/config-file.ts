// Reads the configuration file: YAML, of which JSON is a part. Keeps line and column of everything, and shows no line of it:
// a line may hold a secret.
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import type { ErrorCode } from 'yaml';
import { emptyTree, isTree, type Report, type SettingPath, settingName, type Tree } from './report.ts';
import { CONFIG_FILE_VARIABLE } from './schema.ts';
import { fileTrouble, readSecretFile, shownPath } from './secret-file.ts';
import { ANY, SETTINGS, type Setting } from './setting-index.ts';
import { parseText } from './setting-text.ts';

const MAX_BYTES = 1_048_576;
const MAX_DEPTH = 20;
/** Aliases can make a small file huge. */
const MAX_VALUES = 20_000;

/**
 * The file's values, with their places in the report; `undefined` after reporting why it could not be read.
 */
export async function readConfigFile(path: string, report: Report): Promise<Tree | undefined> {
  const source = readText(path, report);
  if (source === undefined) return undefined;
  // Loaded here and not at start: reading YAML costs 15 ms that a broker without a file need not wait for.
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(source, { lineCounter: lines, prettyErrors: false, stringKeys: true });

  let values = 0;
  const refusals: number[] = [];

  /** A node as a plain value; what cannot be one is remembered in `refusals` by its offset. */
  function toPlain(node: unknown, at: SettingPath, offset: number): unknown {
    values += 1;
    if (at.length > MAX_DEPTH || values > MAX_VALUES) {
      refusals.push(offset);
      return undefined;
    }
    if (yaml.isAlias(node)) {
      const target = node.resolve(document);
      if (target === undefined) refusals.push(offset);
      return toPlain(target, at, offset);
    }
    if (yaml.isScalar(node)) return node.value;
    if (yaml.isSeq(node)) return node.items.map((item, position) => memberOf(item, item, [...at, position], offset));
    if (!yaml.isMap(node)) return null;
    const tree = emptyTree();
    for (const { key, value } of node.items) {
      const name = String(yaml.isScalar(key) ? key.value : key);
      tree[name] = memberOf(key, value, [...at, name], offset);
    }
    return tree;
  }

  function memberOf(marked: unknown, value: unknown, at: SettingPath, offsetAbove: number): unknown {
    const offset = (yaml.isNode(marked) ? marked.range?.[0] : undefined) ?? offsetAbove;
    report.setPlace(at, { setting: settingName(at), file: positionOf(offset) });
    return toPlain(value, at, offset);
  }

  function positionOf(offset: number) {
    const { line, col } = lines.linePos(offset);
    return { path, line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  const troubles = [...document.errors, ...document.warnings];
  const tree = troubles.length === 0 ? (toPlain(document.contents, [], 0) ?? emptyTree()) : undefined;
  for (const { pos, code } of troubles) {
    report.addAt({ setting: CONFIG_FILE_VARIABLE, file: positionOf(pos[0]) }, YAML_TROUBLES[code] ?? NO_YAML);
  }
  for (const offset of refusals.slice(0, 1)) {
    report.addAt({ setting: CONFIG_FILE_VARIABLE, file: positionOf(offset) }, REFUSED);
  }
  if (troubles.length > 0 || refusals.length > 0) return undefined;
  if (isTree(tree)) return tree;
  report.addAt({ setting: CONFIG_FILE_VARIABLE, file: positionOf(0) }, 'expected settings by name (a mapping)');
  return undefined;
}

const NO_YAML = 'is not valid YAML here (the line is not shown: it may hold a secret)';
const REFUSED = 'an alias without its anchor, or values that are nested too deeply or too many';

/** For mistakes that people make; the parser's own sentences may quote the file. */
const YAML_TROUBLES: { readonly [code in ErrorCode]?: string } = {
  BAD_DQ_ESCAPE: 'a backslash sequence that does not exist, in a text in double quotes',
  BAD_INDENT: 'the indentation does not fit that of the lines around it, or a bracket before it is not closed',
  BAD_SCALAR_START: 'a text that begins with this character needs quotes',
  DUPLICATE_KEY: 'the same name is there twice',
  MISSING_CHAR: 'something is missing here: a colon, a space after one, a quote or a bracket',
  MULTIPLE_DOCS: 'expected one document, without further ---',
  NON_STRING_KEY: 'a name must be a text',
  TAB_AS_INDENT: 'indent with spaces, not with tabs',
  TAG_RESOLVE_FAILED: 'tags (words with ! in front) are not used here',
};

/** Puts the content of secrets' files (`api_key_file`) where the secret belongs. Relative paths start at the file's directory. */
export function resolveFiles(tree: Tree, configFile: string, report: Report): void {
  const directory = dirname(resolve(configFile));
  for (const setting of SETTINGS) {
    for (const { holder, path } of holdersOf(tree, setting.path, [])) {
      if (setting.isSecret) resolveSecret(holder, path, setting, directory, report);
      else if ('x-kind' in setting.node && setting.node['x-kind'] === 'path') {
        const value = holder[String(path.at(-1))];
        // A path from a variable starts at the working directory, as everywhere.
        const isOfFile = report.placeOf(path).file !== null;
        if (typeof value === 'string' && isOfFile) holder[String(path.at(-1))] = resolve(directory, value);
      }
    }
  }
}

/** Each mapping in which the last key of `pattern` has its place. */
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
    const read = readSecretFile(isAbsolute(file) ? file : resolve(directory, file), file);
    if ('text' in read) {
      holder[name] = parseText(setting.node, read.text);
      report.setPlace(path, report.placeOf(filePath));
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
