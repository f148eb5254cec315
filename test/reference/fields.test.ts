import { test } from 'tap';
import { type Field, objectFields, typeName } from '../../src/reference/fields.ts';
import type { OpenApiDocument, Schema } from '../../src/reference/openapi-document.ts';
import { resolve } from '../../src/reference/references.ts';

const NAMED: Schema = { type: 'object', required: ['id'], properties: { id: { type: 'string' } } };
const DOCUMENT: OpenApiDocument = {
  openapi: '3.1.0',
  info: { title: '', version: '', summary: '', description: '', license: { name: '', identifier: '' } },
  servers: [],
  tags: [],
  paths: {},
  components: { securitySchemes: {}, schemas: { Named: NAMED }, parameters: {}, headers: {}, examples: {} },
};

const types: readonly [Schema, string][] = [
  [{ type: 'integer' }, 'integer'],
  [{ type: 'string', format: 'date' }, 'string (date)'],
  [{ type: ['string', 'null'] }, 'string or null'],
  [{ anyOf: [{ type: 'boolean' }, { type: 'null' }] }, 'boolean or null'],
  [
    { anyOf: [{ type: 'string', enum: ['a', 'b', 'c', 'd', 'e'] }, { type: 'string' }, { type: 'null' }] },
    'string or null',
  ],
  [{ enum: ['direct', 'proxied'] }, '"direct" or "proxied"'],
  [{ $ref: '#/components/schemas/Named' }, 'Named'],
  [{}, 'any'],
];
for (const [schema, name] of types) {
  test(`a type is named as a reader would name it: ${name}`, async (t) => {
    t.equal(typeName(DOCUMENT, schema), name);
  });
}

test('request fields are marked if required, answer fields if they may be missing', async (t) => {
  const schema: Schema = { properties: { here: { type: 'string' }, perhaps: { type: 'string' } }, required: ['here'] };
  t.strictSame(objectFields(DOCUMENT, schema, 'request').map(markOf), [
    ['here', 'required'],
    ['perhaps', null],
  ]);
  t.strictSame(objectFields(DOCUMENT, schema, 'answer').map(markOf), [
    ['here', null],
    ['perhaps', 'optional'],
  ]);
});

test('members of one plain type are listed beside their object, others have their own lines', async (t) => {
  const flags: Schema = {
    anyOf: [{ properties: { a: { type: 'boolean' }, b: { type: 'boolean' } } }, { type: 'null' }],
  };
  const mixed: Schema = { properties: { a: { type: 'boolean' }, b: { type: 'string', description: 'B' } } };
  const schema: Schema = { properties: { flags, mixed, named: { $ref: '#/components/schemas/Named' } } };
  t.strictSame(
    objectFields(DOCUMENT, schema, 'request').map(({ name, note }) => [name, note]),
    [
      ['flags', 'a, b: boolean'],
      ['mixed', null],
      ['mixed.a', null],
      ['mixed.b', null],
      ['named', 'id: string'],
    ],
  );
});

test('a recursive schema ends', async (t) => {
  const itself: Schema = {
    properties: { value: { type: 'string', description: 'V' }, next: { $ref: '#/components/schemas/Itself' } },
  };
  const document = { ...DOCUMENT, components: { ...DOCUMENT.components, schemas: { Itself: itself } } };
  const names = objectFields(document, itself, 'answer').map(({ name }) => name);
  t.equal(names.at(-1), 'next.next.next.next');
});

test('a reference to nothing is an error, not an empty page', async (t) => {
  const names = ['Missing', 'constructor', '__proto__'];
  for (const name of names) {
    t.throws(() => resolve(DOCUMENT.components.schemas, { $ref: `#/components/schemas/${name}` }), {
      message: `named ${name}`,
    });
  }
  t.equal(resolve(DOCUMENT.components.schemas, { $ref: '#/components/schemas/Named' }), NAMED);
});

function markOf({ name, mark }: Field): [string, Field['mark']] {
  return [name, mark];
}
