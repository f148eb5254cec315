// Lists body and header fields on the reference page, each with its type, bounds and meaning.
import { type Html, html } from '../html/html.ts';
import type { OpenApiDocument, Schema } from './openapi-document.ts';
import { inline } from './prose.ts';
import { referenceName, resolve } from './references.ts';

/** Requests mark required fields, responses mark optional ones. */
export type Direction = 'request' | 'answer';

export interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly mark: 'required' | 'optional' | null;
  readonly description: string | undefined;
  readonly note: string | null;
}

/** A description list: reads well on a phone and to a screen reader. `null` where there is nothing to list. */
export function fieldList(document: OpenApiDocument, fields: readonly Field[]): Html | null {
  return fields.length === 0
    ? null
    : html`<dl class="fields">${fields.map((field) => fieldEntry(document, field))}</dl>`;
}

/** The fields of an object. The members of a nested object are named in its note where that says enough, else listed as `outer.inner`. */
export function objectFields(
  document: OpenApiDocument,
  schema: Schema,
  direction: Direction,
  prefix = '',
  depth = 0,
): readonly Field[] {
  const { properties = {}, required = [] } = shapeOf(document, schema);
  return Object.entries(properties).flatMap(([name, member]): readonly Field[] => {
    const path = `${prefix}${name}`;
    const note = membersNote(document, member);
    const field: Field = {
      name: path,
      schema: member,
      mark: markOf(direction, required.includes(name)),
      description: member.description,
      note,
    };
    const isSaid = note !== null || depth === DEPTH_MAX;
    return isSaid ? [field] : [field, ...objectFields(document, member, direction, `${path}.`, depth + 1)];
  });
}

function markOf(direction: Direction, isRequired: boolean): Field['mark'] {
  if (direction === 'request') return isRequired ? 'required' : null;
  return isRequired ? null : 'optional';
}

const DEPTH_MAX = 3;

/** `tts, stt, agent: boolean` for an object of plain members that are all alike; `null` for any other. */
function membersNote(document: OpenApiDocument, schema: Schema): string | null {
  const members = Object.entries(shapeOf(document, schema).properties ?? {});
  const types = new Set(members.map(([, member]) => typeName(document, member)));
  const [type] = types;
  const isPlain = members.every(
    ([, { description, properties }]) => description === undefined && properties === undefined,
  );
  if (type === undefined || types.size > 1 || !isPlain) return null;
  return `${members.map(([name]) => name).join(', ')}: ${type}`;
}

/** The object behind a reference or a union with null. */
function shapeOf(document: OpenApiDocument, schema: Schema): Schema {
  const resolved = resolve(document.components.schemas, schema);
  return resolved.anyOf?.find((member) => member.properties !== undefined) ?? resolved;
}

function fieldEntry(document: OpenApiDocument, { name, schema, mark, description, note }: Field): Html {
  const small = [boundsOf(schema), note].filter((text) => text !== null).join(' · ');
  return html`<div><dt><code>${name}</code> <span class="type">${typeName(document, schema)}</span>${
    mark === null ? null : html` <span class="mark">${mark}</span>`
  }</dt><dd>${description === undefined ? null : html`<p>${inline(description)}</p>`}${
    small === '' ? null : html`<p class="small">${small}</p>`
  }</dd></div>`;
}

/** `integer or null`, `"direct" or "proxied"`. */
export function typeName(document: OpenApiDocument, schema: Schema): string {
  const name = referenceName(schema);
  if (name !== null) return name;
  if (schema.anyOf !== undefined) {
    return [...new Set(schema.anyOf.map((member) => typeName(document, member)))].join(' or ');
  }
  if (schema.enum !== undefined && schema.enum.length <= ENUM_SHOWN_MAX) {
    return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  }
  const type = typeof schema.type === 'string' ? schema.type : (schema.type ?? ['any']).join(' or ');
  return schema.format === undefined ? type : `${type} (${schema.format})`;
}

const ENUM_SHOWN_MAX = 4;

function boundsOf(schema: Schema): string | null {
  for (const { minimum, maximum, minLength, maxLength } of [schema, ...(schema.anyOf ?? [])]) {
    const lengths = range(minLength, maxLength);
    const bounds = range(minimum, maximum) ?? (lengths === null ? null : `${lengths} characters`);
    if (bounds !== null) return bounds;
  }
  return null;
}

function range(from: number | undefined, to: number | undefined): string | null {
  if (from !== undefined && to !== undefined) return `${from} to ${to}`;
  if (from !== undefined) return `${from} or more`;
  return to === undefined ? null : `${to} at most`;
}
