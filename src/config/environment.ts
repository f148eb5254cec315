// Reads the environment's settings into the form of the file. No other module knows how variables are written.
import { resolve } from 'node:path';
import { emptyTree, isTree, type Report, type SettingPath, type Tree } from './report.ts';
import { readSecretFile } from './secret-file.ts';
import { SETTINGS, type Setting } from './setting-index.ts';
import { parseText, splitList } from './setting-text.ts';
import { wrongText } from './text-kinds.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The client app that the environment describes if no app key names another. */
export const DEFAULT_CLIENT = 'default';

const CLIENT_KEYS = 'CLIENT_KEYS';
const TRUSTED_CLIENTS = 'TRUSTED_CLIENTS';
const ALLOW_ANONYMOUS = 'ALLOW_ANONYMOUS';
const JWT_ALGORITHMS = 'JWT_ALGORITHMS';

/** A variable that was given: its text (its own, or that of its file) and its name as the operator wrote it. */
interface Given {
  readonly setting: Setting;
  readonly variable: string;
  readonly text: string;
  /** The file that held it, absolute. */
  readonly secretFile?: string;
}

/**
 * Puts the environment's settings into `tree`, overriding those of a file. An empty variable counts as not set: that is
 * how compose files pass on what is missing. Values are not checked here: what does not parse is kept as text, and the check
 * against the schema says what was expected instead.
 */
export function readEnvironment(env: Environment, tree: Tree, report: Report): void {
  const hasFileClients = 'clients' in tree;
  const given = [...givenVariables(env, report)];
  for (const one of given) {
    if (!one.setting.describesClient) put(tree, one.setting.path, parseText(one.setting.node, one.text), one, report);
  }
  const ofClients = given.filter((one) => one.setting.describesClient && !isDefaultAlone(one, given));
  if (!hasFileClients) addClients(tree, ofClients, report);
  else
    for (const { variable } of ofClients) {
      const wrong = 'describes a client app, and so does `clients` in the file: use one of the two';
      report.addAt({ setting: variable, file: null }, wrong);
    }
}

function* givenVariables(env: Environment, report: Report): Generator<Given> {
  for (const setting of SETTINGS) {
    const { variable } = setting;
    if (variable === undefined) continue;
    const text = env[variable];
    const file = setting.isSecret ? env[`${variable}_FILE`] : undefined;
    if (text && file) {
      addBroken(setting, variable, `is given twice: use ${variable} or ${variable}_FILE`, report);
    } else if (file) {
      const read = readSecretFile(file);
      if ('text' in read) yield { setting, variable: `${variable}_FILE`, text: read.text, secretFile: resolve(file) };
      else addBroken(setting, `${variable}_FILE`, read.wrong, report);
    } else if (text) {
      yield { setting, variable, text };
    }
  }
}

/** The environment's client apps: `default`, and each that an app key names, all with the same policy. */
function addClients(tree: Tree, given: readonly Given[], report: Report): void {
  const keys = given.find(({ setting }) => setting.variable === CLIENT_KEYS);
  const { named, mentioned } =
    keys === undefined
      ? { named: [], mentioned: report.isBroken(['clients']) ? null : new Set<string>() }
      : parseClientKeys(keys, report);
  const names = new Set(named.map(({ name }) => name));
  // Even if no key could be read, so that the policy is checked in the same run.
  if (names.size === 0 || given.some(opensAWayIn)) names.add(DEFAULT_CLIENT);

  // A wrong key breaks only the keys: rules still check the policy.
  const areKeysBroken = report.isBroken(['clients']);
  tree['clients'] = emptyTree();
  for (const name of names) {
    put(tree, ['clients', name], emptyTree());
    if (areKeysBroken) report.markBroken(['clients', name, 'auth', 'keys']);
    for (const one of given) {
      if (one.setting.variable === CLIENT_KEYS || one.setting.variable === TRUSTED_CLIENTS) continue;
      if (isOfCallers(one) && (name !== DEFAULT_CLIENT || !given.some(opensAWayIn))) continue;
      put(tree, clientPath(name, one.setting), parseText(one.setting.node, one.text), one, report);
    }
    const hashes = named.filter((key) => key.name === name).map(({ hash }) => hash);
    if (keys !== undefined && hashes.length > 0) {
      put(tree, ['clients', name, 'auth', 'keys'], hashes, keys, report);
    }
  }
  const trusted = given.find(({ setting }) => setting.variable === TRUSTED_CLIENTS);
  if (trusted !== undefined) addTrust(tree, trusted, { named, mentioned }, report);
}

/** JWTs and anonymous callers belong to the client app `default`; app keys name their own. */
function isOfCallers({ setting }: Given): boolean {
  return setting.path[2] === 'auth' && setting.variable !== CLIENT_KEYS;
}

/** ALLOW_ANONYMOUS=false and algorithms without an issuer open no way in: they are the defaults written out. */
function opensAWayIn(given: Given): boolean {
  if (given.setting.variable === ALLOW_ANONYMOUS) return given.text !== 'false';
  return isOfCallers(given) && given.setting.variable !== JWT_ALGORITHMS;
}

/** Whether a variable is the line of `.env.example`: the default algorithms, and nothing else about an issuer. */
function isDefaultAlone(one: Given, given: readonly Given[]): boolean {
  const { variable, node } = one.setting;
  if (variable !== JWT_ALGORITHMS || !('default' in node)) return false;
  const isOfIssuer = ({ setting: { path } }: Given): boolean => path[2] === 'auth' && path[3] === 'jwt';
  return (
    given.every((other) => other === one || !isOfIssuer(other)) &&
    JSON.stringify(parseText(node, one.text)) === JSON.stringify(node.default)
  );
}

function clientPath(name: string, setting: Setting): SettingPath {
  return setting.path.map((key, depth) => (key !== '*' ? key : depth === 1 ? name : 0));
}

interface NamedKey {
  readonly name: string;
  readonly hash: string;
}

interface NamedKeys {
  readonly named: readonly NamedKey[];
  /** All names, those of broken items included; `null` if one of them cannot be made out. */
  readonly mentioned: ReadonlySet<string> | null;
}

/** Parses `web=sha256:…, ios=sha256:…`. Reports items by their position: a key put here by mistake must not be printed. */
function parseClientKeys({ setting, variable, text }: Given, report: Report): NamedKeys {
  const named: NamedKey[] = [];
  let mentioned: Set<string> | null = new Set();
  for (const [position, item] of splitList(text).entries()) {
    const split = item.indexOf('=');
    const name = item.slice(0, Math.max(0, split));
    const hash = item.slice(split + 1);
    const wrongName = wrongText('client_name', name);
    if (wrongName === undefined) mentioned?.add(name);
    else mentioned = null;
    const wrong =
      split < 0
        ? (keyMistake(item) ?? 'expected name=sha256:<64 hexadecimal digits>, made by `cartesia-broker key`')
        : (wrongName ?? wrongText('key_hash', hash) ?? repeated(named, hash));
    if (wrong === undefined) named.push({ name, hash });
    else addBroken(setting, variable, `item ${position + 1}: ${wrong}`, report);
  }
  return { named, mentioned };
}

function keyMistake(item: string): string | undefined {
  return item.startsWith('cb_') ? wrongText('key_hash', item) : undefined;
}

function repeated(keys: readonly NamedKey[], hash: string): string | undefined {
  const known = keys.findIndex((key) => key.hash.toLowerCase() === hash.toLowerCase());
  return known < 0 ? undefined : `has the same key as item ${known + 1}`;
}

/** Shows only names from `CLIENT_KEYS` that have a key: any other text may be a misplaced secret. */
function addTrust(tree: Tree, given: Given, { named, mentioned }: NamedKeys, report: Report): void {
  const { variable, text } = given;
  const known = new Set(named.map(({ name }) => name));
  const shown = known.size === 0 ? '' : ` (${[...known].join(', ')})`;
  for (const [position, name] of splitList(text).entries()) {
    if (known.has(name)) put(tree, ['clients', name, 'trusted'], true, given, report);
    else if (mentioned !== null && !mentioned.has(name)) {
      const wrong = `expected the name of a client app in CLIENT_KEYS${shown}: only callers with an app key may name a subject`;
      report.addAt({ setting: variable, file: null }, `item ${position + 1}: ${wrong}`);
    }
  }
}

/** Puts a value at its path, creating objects and lists on the way. If the file holds something else there, that is reported later. */
function put(tree: Tree, path: SettingPath, value: unknown, given?: Given, report?: Report): void {
  let holder: Record<string | number, unknown> = tree;
  for (const [depth, key] of path.slice(0, -1).entries()) {
    holder[key] ??= typeof path[depth + 1] === 'number' ? [] : emptyTree();
    const next = holder[key];
    if (!isTree(next) && !Array.isArray(next)) return;
    holder = next as Record<string | number, unknown>;
  }
  const last = path.at(-1) ?? '';
  holder[last] = value;
  // Also overrides a secret's file that the configuration file names.
  if (given === undefined) return;
  delete holder[`${last}_file`];
  const { variable: setting, secretFile } = given;
  report?.overridePlace(path, { setting, file: null, ...(secretFile === undefined ? {} : { secretFile }) });
}

function addBroken(setting: Setting, variable: string, message: string, report: Report): void {
  report.markBroken(setting.path);
  report.addAt({ setting: variable, file: null }, message);
}
