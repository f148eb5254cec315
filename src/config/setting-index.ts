// Lists every single setting of the schema with its path, for the reader of the environment, the docs and the checks.
import { SETTINGS_SCHEMA } from './schema.ts';
import { type GroupNode, isGroup, isMap, type MapNode, type SettingNode } from './schema-nodes.ts';

/** Stands for a name that the operator chooses, or for a position in a list. */
export const ANY = '*';

export type SettingLeaf = Exclude<SettingNode, GroupNode | MapNode>;

export interface Setting {
  /** Keys from the top of the file; `*` for a client app's name or a position in a list. */
  readonly path: readonly string[];
  readonly node: SettingLeaf | MapNode;
  /** The environment variable, or `undefined`. */
  readonly variable: string | undefined;
  /** May be read from a file, and is never printed. */
  readonly isSecret: boolean;
  /** Belongs to a client app, not to the deployment. */
  readonly describesClient: boolean;
}

/** In the order of the schema. */
export const SETTINGS: readonly Setting[] = [...leavesOf(SETTINGS_SCHEMA, [])];

/** By the name of the environment variable. */
export const SETTING_BY_VARIABLE: ReadonlyMap<string, Setting> = new Map(
  SETTINGS.flatMap((setting) => (setting.variable === undefined ? [] : [[setting.variable, setting] as const])),
);

const SETTING_BY_PATH = new Map(SETTINGS.map((setting) => [setting.path.join('.'), setting]));

/** The setting at a real path (`clients`, `web`, `grants`); `undefined` for groups and unknown paths. */
export function settingAt(path: readonly (string | number)[]): Setting | undefined {
  const general = path.map((key, depth) => (typeof key === 'number' || path[depth - 1] === 'clients' ? ANY : key));
  return SETTING_BY_PATH.get(general.join('.'));
}

function* leavesOf(node: SettingNode, path: readonly string[]): Generator<Setting> {
  if (isGroup(node)) {
    for (const [key, child] of Object.entries(node.properties)) yield* leavesOf(child, [...path, key]);
  } else if (isMap(node) && isGroup(node.additionalProperties)) {
    yield* leavesOf(node.additionalProperties, [...path, ANY]);
  } else if ('items' in node && isGroup(node.items)) {
    yield* leavesOf(node.items, [...path, ANY]);
  } else {
    yield {
      path,
      node,
      variable: node['x-env'],
      isSecret: node['x-secret'] === true,
      describesClient: path[0] === 'clients',
    };
  }
}
