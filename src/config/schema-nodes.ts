// Builds the nodes of the schema: plain JSON Schema objects, with notes under `x-` names. TypeBox derives the types from them.
// Not built by TypeBox's own `Type`, because importing that costs 80 ms at start, for objects of the same form.
import type { TextKindName } from './text-kinds.ts';

/** What every setting says about itself. */
export interface Notes {
  /** One sentence for the reader of docs/configuration.md and for the editor's tooltip. */
  readonly description: string;
  /** The environment variable, where there is one. */
  readonly 'x-env'?: string;
  /** What the variable holds, if it is written differently than in the file. */
  readonly 'x-env-description'?: string;
  readonly 'x-unit'?: string;
  /** Never printed; may be read from a file (`X_FILE`, or `x_file` in the configuration file). */
  readonly 'x-secret'?: true;
  /** May be absent although it has no default. */
  readonly 'x-optional'?: true;
  /** The default in words, if it depends on other settings. */
  readonly 'x-default'?: string;
  readonly examples?: readonly unknown[];
}

export interface TextNode extends Notes {
  readonly type: 'string';
  readonly 'x-kind'?: TextKindName;
  readonly enum?: readonly string[];
  readonly default?: string;
}
export interface IntegerNode extends Notes {
  readonly type: 'integer';
  readonly minimum: number;
  readonly maximum: number;
  readonly default?: number;
}
export interface NumberNode extends Notes {
  readonly type: 'number';
  /** In the file only. */
  readonly 'x-env'?: never;
  readonly minimum: number;
  readonly maximum: number;
}
export interface FlagNode extends Notes {
  readonly type: 'boolean';
  readonly default?: boolean;
}
export interface ListNode extends Notes {
  readonly type: 'array';
  readonly items: SettingNode;
  readonly minItems?: number;
  readonly uniqueItems?: true;
  readonly default?: readonly unknown[];
}
/** One value, or a list of such values. */
export interface OneOrManyNode extends Notes {
  readonly anyOf: readonly [TextNode, ListNode];
}
export interface GroupNode extends Notes {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, SettingNode>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}
/** A map whose keys the operator chooses. */
export interface MapNode extends Notes {
  readonly type: 'object';
  readonly propertyNames: TextNode;
  readonly additionalProperties: SettingNode;
}
export type ScalarNode = TextNode | IntegerNode | NumberNode | FlagNode;
export type SettingNode = ScalarNode | ListNode | OneOrManyNode | GroupNode | MapNode;

type OptionalKeys<P> = { [K in keyof P]: P[K] extends { readonly 'x-optional': true } ? K : never }[keyof P];
type RequiredKeys<P> = Exclude<keyof P, OptionalKeys<P>> & string;

/** A text of one of the kinds in text-kinds.ts. */
export function text<const N extends Notes & { readonly default?: string }>(kind: TextKindName, notes: N) {
  return { type: 'string', 'x-kind': kind, ...notes } as const;
}

/** One of a few words. */
export function choice<const V extends readonly string[], const N extends Notes & { readonly default?: V[number] }>(
  values: V,
  notes: N,
) {
  return { type: 'string', enum: values, ...notes } as const;
}

export function integer<const N extends Omit<IntegerNode, 'type'>>(notes: N) {
  return { type: 'integer', ...notes } as const;
}

export function number<const N extends Omit<NumberNode, 'type'>>(notes: N) {
  return { type: 'number', ...notes } as const;
}

export function flag<const N extends Notes & { readonly default?: boolean }>(notes: N) {
  return { type: 'boolean', ...notes } as const;
}

/** Only as a list in the file; separated by commas in the environment. */
export function list<
  const I extends SettingNode,
  const N extends Notes & { readonly default?: readonly unknown[]; readonly minItems?: number },
>(items: I, notes: N) {
  return { type: 'array', items, uniqueItems: true, ...notes } as const;
}

/** One value or a list of them in the file; separated by commas in the environment. */
export function oneOrMany<const I extends TextNode, const N extends Notes>(item: I, notes: N) {
  const many = { type: 'array', items: item, minItems: 1, uniqueItems: true, description: item.description } as const;
  return { anyOf: [item, many], ...notes } as const;
}

/**
 * Named settings under one heading. Its type is that of the settings once defaults are filled in: everything that is not marked
 * `x-optional` is present.
 */
export function group<const P extends Readonly<Record<string, SettingNode>>, const N extends Notes>(
  properties: P,
  notes: N,
) {
  const required = Object.keys(properties).filter((key) => properties[key]?.['x-optional'] !== true);
  return {
    type: 'object',
    properties,
    // TypeBox reads the names from a tuple; a tuple with the union of all names has the same effect.
    required: required as readonly string[] as readonly [RequiredKeys<P>],
    additionalProperties: false,
    ...notes,
  } as const;
}

/** Settings under names that the operator chooses. */
export function map<const V extends SettingNode, const N extends Notes>(names: TextNode, values: V, notes: N) {
  return { type: 'object', propertyNames: names, additionalProperties: values, ...notes } as const;
}

export function isGroup(node: SettingNode): node is GroupNode {
  return 'properties' in node;
}

export function isMap(node: SettingNode): node is MapNode {
  return 'propertyNames' in node;
}

/** The items of a `oneOrMany` setting. */
export function asList<T extends string>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}
