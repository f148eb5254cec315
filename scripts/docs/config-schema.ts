// config.schema.json: lets editors complete and check the configuration file.
import { SETTINGS_SCHEMA } from '../../src/config/schema.ts';
import { type GroupNode, isGroup, isMap, type SettingNode } from '../../src/config/schema-nodes.ts';
import { TEXT_KINDS } from '../../src/config/text-kinds.ts';

type JsonSchema = { readonly [keyword: string]: unknown };

export function configSchema(): string {
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'cartesia-broker configuration file',
    ...jsonSchemaOf(SETTINGS_SCHEMA),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/** JSON Schema of the file before defaults are filled in: what has a default may be left out. */
export function jsonSchemaOf(node: SettingNode): JsonSchema {
  if (isGroup(node)) return groupSchema(node);
  const notes = notesOf(node);
  if (isMap(node)) {
    const { description: _, ...propertyNames } = jsonSchemaOf(node.propertyNames);
    return { type: 'object', ...notes, propertyNames, additionalProperties: jsonSchemaOf(node.additionalProperties) };
  }
  if ('anyOf' in node) return { ...notes, anyOf: node.anyOf.map(jsonSchemaOf) };
  switch (node.type) {
    case 'array': {
      const { items, minItems, uniqueItems } = node;
      return { type: 'array', ...notes, items: jsonSchemaOf(items), ...given({ minItems, uniqueItems }) };
    }
    case 'integer':
    case 'number':
      return { type: node.type, ...notes, minimum: node.minimum, maximum: node.maximum };
    case 'boolean':
      return { type: 'boolean', ...notes };
    case 'string': {
      const kind = node['x-kind'];
      return { type: 'string', ...notes, ...given({ enum: node.enum, pattern: kind && TEXT_KINDS[kind].pattern }) };
    }
    default:
      return node satisfies never;
  }
}

function groupSchema(node: GroupNode): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const [key, child] of Object.entries(node.properties)) {
    properties[key] = jsonSchemaOf(child);
    if (child['x-secret'] === true) properties[`${key}_file`] = secretFileSchema(key);
  }
  const required = node.required.filter((key) => isAlwaysNeeded(node.properties[key]));
  return {
    type: 'object',
    ...notesOf(node),
    properties,
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

function isAlwaysNeeded(node: SettingNode | undefined): boolean {
  return node !== undefined && !('default' in node) && !isGroup(node) && !isMap(node);
}

function secretFileSchema(key: string): JsonSchema {
  const description = `Path of a file that holds \`${key}\`, relative to the directory of the configuration file.`;
  return { type: 'string', description, pattern: TEXT_KINDS.path.pattern };
}

function notesOf(node: SettingNode): JsonSchema {
  const unit = node['x-unit'] === undefined ? '' : ` In ${node['x-unit']}.`;
  const preset = node['x-default'] === undefined ? '' : ` Default: ${node['x-default']}.`;
  const variable = node['x-env'] === undefined ? '' : ` Environment: ${node['x-env']}.`;
  const { examples } = node;
  return {
    description: `${node.description}${unit}${preset}${variable}`,
    ...given({ default: 'default' in node ? node.default : undefined, examples }),
  };
}

function given(keywords: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(keywords).filter(([, value]) => value !== undefined));
}
