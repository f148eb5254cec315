// Checks values against the schema, reports everything that does not fit, and fills in defaults.
import { nameFinder } from './near-name.ts';
import { emptyTree, isTree, Report, type SettingPath, settingName, type Tree } from './report.ts';
import { SETTINGS_SCHEMA, type Settings } from './schema.ts';
import {
  type GroupNode,
  isGroup,
  isMap,
  type ListNode,
  type MapNode,
  type OneOrManyNode,
  type ScalarNode,
  type SettingNode,
  type TextNode,
} from './schema-nodes.ts';
import { wrongText } from './text-kinds.ts';

/**
 * The settings in `tree`, complete. A value that does not fit is reported and left out (its default is used); a list item or
 * client app that lacks something required is left out entirely. So the result always has the type of the schema.
 */
export function checkSettings(tree: Tree, report: Report): Settings {
  // The root group has no required leaf: it is never left out.
  return checkGroup(SETTINGS_SCHEMA, tree, [], report) as Settings;
}

/** One setting's value, checked: `undefined` after reporting that it does not fit. */
export function checkSetting(node: SettingNode, value: unknown, path: SettingPath, report: Report): unknown {
  const checked = check(node, value, path, report);
  return checked === UNUSABLE ? undefined : checked;
}

/** Marks a value that was reported and must not be used. */
const UNUSABLE = Symbol('unusable');

function check(node: SettingNode, value: unknown, path: SettingPath, report: Report): unknown {
  if (isGroup(node)) return checkGroup(node, value, path, report);
  if (isMap(node)) return checkMap(node, value, path, report);
  if ('anyOf' in node) return checkOneOrMany(node, value, path, report);
  if (node.type === 'array') return checkList(node, value, path, report);
  const wrong = wrongScalar(node, value);
  if (wrong === undefined) return value;
  report.add(path, wrong);
  return UNUSABLE;
}

function checkGroup(node: GroupNode, value: unknown, path: SettingPath, report: Report): unknown {
  if (!isTree(value)) {
    report.add(path, 'expected settings by name (a mapping)');
    return checkGroup(node, emptyTree(), path, new Report());
  }
  reportUnknownKeys(node, value, path, report);
  const settings: Tree = {};
  let isUsable = true;
  for (const [key, child] of Object.entries(node.properties)) {
    const checked = checkMember(child, value[key], [...path, key], report);
    if (checked === UNUSABLE) isUsable &&= child['x-optional'] === true;
    else if (checked !== undefined) settings[key] = checked;
  }
  return isUsable ? settings : UNUSABLE;
}

/** One named setting: its value, its default, `undefined` when it may be absent, or UNUSABLE when it is missing or wrong. */
function checkMember(node: SettingNode, value: unknown, path: SettingPath, report: Report): unknown {
  if (value !== undefined) {
    const checked = check(node, value, path, report);
    return checked === UNUSABLE && 'default' in node ? node.default : checked;
  }
  if ('default' in node) return node.default;
  if (node['x-optional'] === true) return undefined;
  if (isGroup(node) || isMap(node)) return check(node, emptyTree(), path, report);
  report.add(path, `is missing; ${expectation(node)}. ${node.description}`);
  return UNUSABLE;
}

function checkMap(node: MapNode, value: unknown, path: SettingPath, report: Report): unknown {
  if (!isTree(value)) {
    report.add(path, 'expected names with their settings (a mapping)');
    return emptyTree();
  }
  const settings = emptyTree();
  for (const [name, entry] of Object.entries(value)) {
    const wrongName = wrongScalar(node.propertyNames, name);
    if (wrongName !== undefined) {
      // The name is not shown: it is not what belongs there, and may be anything.
      const { file } = report.placeOf([...path, name]);
      report.addAt({ setting: settingName([...path, '*']), file }, `invalid name: ${wrongName}`);
      report.markBroken([...path, name]);
      const known = report.problems.length;
      check(node.additionalProperties, entry, [...path, name], report);
      report.hideName([...path, name], known);
      continue;
    }
    const checked = check(node.additionalProperties, entry, [...path, name], report);
    if (checked !== UNUSABLE) settings[name] = checked;
  }
  return settings;
}

function checkOneOrMany(node: OneOrManyNode, value: unknown, path: SettingPath, report: Report): unknown {
  const [one, many] = node.anyOf;
  return Array.isArray(value) ? checkList(many, value, path, report) : check(one, value, path, report);
}

function checkList(node: ListNode, value: unknown, path: SettingPath, report: Report): unknown {
  if (!Array.isArray(value)) {
    report.add(path, `expected a list; for each item: ${expectation(node.items)}`);
    return UNUSABLE;
  }
  if (value.length < (node.minItems ?? 0)) {
    report.add(path, 'expected at least one item');
    return UNUSABLE;
  }
  const seen = new Set<unknown>();
  const items: unknown[] = [];
  const usable: number[] = [];
  for (const [position, item] of value.entries()) {
    const checked = check(node.items, item, [...path, position], report);
    if (checked === UNUSABLE) continue;
    if (seen.has(checked)) {
      report.add([...path, position], 'is repeated');
      continue;
    }
    seen.add(checked);
    items.push(checked);
    usable.push(position);
  }
  report.setUsable(path, usable);
  return items.length < (node.minItems ?? 0) ? UNUSABLE : items;
}

function wrongScalar(node: ScalarNode, value: unknown): string | undefined {
  if (node.type === 'boolean') return typeof value === 'boolean' ? undefined : expectation(node);
  if (node.type === 'integer' || node.type === 'number') {
    const isOfType = node.type === 'integer' ? Number.isInteger(value) : Number.isFinite(value);
    const fits = isOfType && Number(value) >= node.minimum && Number(value) <= node.maximum;
    return fits ? undefined : expectation(node);
  }
  if (typeof value !== 'string') return `${expectation(node)} (as a string)`;
  if (node.enum !== undefined) return node.enum.includes(value) ? undefined : expectation(node);
  return node['x-kind'] === undefined ? undefined : wrongText(node['x-kind'], value);
}

/** "expected …" for a node. */
function expectation(node: SettingNode): string {
  if ('anyOf' in node) return expectation(node.anyOf[0]);
  if ('properties' in node || 'propertyNames' in node) return 'expected a mapping';
  switch (node.type) {
    case 'array':
      return expectation(node.items);
    case 'boolean':
      return 'expected true or false';
    case 'number':
      return `expected a number from ${node.minimum} to ${node.maximum}`;
    case 'integer': {
      const unit = node['x-unit'] === undefined ? '' : ` (${node['x-unit']})`;
      return `expected an integer from ${node.minimum} to ${node.maximum}${unit}`;
    }
    case 'string':
      if (node.enum !== undefined) return `expected ${node.enum.length > 1 ? 'one of ' : ''}${node.enum.join(', ')}`;
      return node['x-kind'] === undefined ? 'expected a string' : expectedText(node['x-kind']);
    default:
      return node satisfies never;
  }
}

function expectedText(kind: NonNullable<TextNode['x-kind']>): string {
  // NUL fits no kind, so this returns the kind's own sentence.
  return wrongText(kind, '\u0000') ?? 'expected a string';
}

/** Too short and too plain to be a key or a secret of the broker. */
const PLAIN_WORD = /^[a-z_]{1,20}$/;

function reportUnknownKeys(node: GroupNode, value: Tree, path: SettingPath, report: Report): void {
  const known = Object.keys(node.properties);
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const place = report.placeOf([...path, key]);
    const near = nameFinder(known)(key);
    // A secret written where a name belongs must not be printed: a key is shown only if it resembles a known name or is a short plain word.
    const setting = settingName([...path, near !== undefined || PLAIN_WORD.test(key) ? key : '*']);
    const hint = near === undefined ? `known here: ${known.join(', ')}` : `did you mean ${near}?`;
    report.addAt({ setting, file: place.file }, `unknown setting; ${hint}`);
  }
}
