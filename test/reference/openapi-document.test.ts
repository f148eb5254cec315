import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import { test } from 'tap';
import { Errors } from 'typebox/schema';
import { endpointsPage } from '../../scripts/docs/endpoints.ts';
import { errorsPage } from '../../scripts/docs/errors.ts';
import { appParts } from '../../scripts/docs/openapi/app-document.ts';
import { describe, type Introduction } from '../../scripts/docs/openapi/describe.ts';
import { openApiFile } from '../../scripts/docs/openapi.ts';
import { buildApp } from '../../src/app.ts';
import { PROBLEMS } from '../../src/errors/problems.ts';
import { loadOpenApiDocument, type OpenApiDocument } from '../../src/reference/openapi-document.ts';
import { type ResolvedMedia, resolvedEndpoints } from './resolved-document.ts';

const document = await loadOpenApiDocument();

const generated = [
  ['docs/openapi.json', openApiFile],
  ['docs/errors.md', errorsPage],
  ['docs/endpoints.md', endpointsPage],
] as const;
for (const [path, generate] of generated) {
  test(`${path} is what npm run docs generates from the current code`, async (t) => {
    const file = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
    t.equal(file, await generate());
  });
}

test('the document is valid OpenAPI 3.1, and a broken one is rejected', async (t) => {
  const endpoints = await resolvedEndpoints(document);
  t.ok(endpoints.length >= 6);
  const broken = { ...document, paths: { '/access-token': { post: { responses: { 200: { content: {} } } } } } };
  await t.rejects(resolvedEndpoints(broken as unknown as OpenApiDocument), { message: /no OpenAPI 3\.1/ });
});

const isHead = (route: string): boolean => route.startsWith('HEAD ');

test('the document has every route of the application and no others', async (t) => {
  const routes = [...(await routesOfApp())];
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
  );
  // A HEAD route is implied by its GET.
  const [heads, others] = [routes.filter(isHead), routes.filter((route) => !isHead(route))];
  t.strictSame(documented.toSorted(), others.toSorted());
  t.ok(heads.length > 0 && heads.every((head) => documented.includes(head.replace('HEAD', 'GET'))), heads.join(', '));
});

test('operation ids are unique and every operation has a known tag', async (t) => {
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
  t.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  const known = document.tags.map(({ name }) => name);
  for (const { operationId, tags } of operations) t.ok(tags.length === 1 && known.includes(tags[0] ?? ''), operationId);
});

test('every example fits its schema', async (t) => {
  const seen: string[] = [];
  for (const { method, path, operation } of await resolvedEndpoints(document)) {
    for (const { name, schema, example } of operation.parameters ?? []) {
      t.strictSame(Errors(schema, example)[1], [], `${name} of ${path}`);
    }
    const bodies = [operation.requestBody, ...Object.values(operation.responses)];
    for (const media of bodies.flatMap((body) => Object.values(body?.content ?? {}))) {
      for (const [name, { value }] of Object.entries(media.examples ?? {})) {
        t.strictSame(Errors(media.schema, value)[1], [], `${name} of ${method} ${path}`);
        seen.push(name);
      }
    }
  }
  t.ok(seen.includes('direct') && seen.includes('proxied') && seen.includes('upstream_timeout'));
});

test('every error code is in the document, under the status it is answered with', async (t) => {
  t.strictSame(Object.keys(document.components.examples), Object.keys(PROBLEMS));
  const media = (await resolvedEndpoints(document)).flatMap(({ operation }) =>
    Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
      Object.values(content).map((one): [string, ResolvedMedia] => [status, one]),
    ),
  );
  for (const [status, { examples = {} }] of media.filter(([code]) => Number(code) >= 400)) {
    const codes = Object.keys(examples);
    t.ok(codes.length > 0, status);
    for (const code of codes) t.equal(String(PROBLEMS[code as keyof typeof PROBLEMS].status), status, code);
  }
});

const introduction: Introduction = { info: document.info, servers: document.servers, tags: document.tags };

test('a route without notes stops the generator', async (t) => {
  const paths = { '/new': { get: { operationId: 'fresh', responses: { 200: { description: '' } } } } };
  t.throws(() => describe(paths, {}, introduction), { message: 'no notes on operation fresh: GET /new' });
});

test('notes on a route that does not exist stop the generator', async (t) => {
  const notes = { gone: { credential: 'none', answer: { description: '' } } } as const;
  t.throws(() => describe({}, notes, introduction), { message: 'notes on operations that no route has: gone' });
});

test('an undescribed header or parameter stops the generator', async (t) => {
  const paths = { '/': { get: { operationId: 'a', responses: { 200: { description: '' } } } } };
  const withHeader = { a: { credential: 'none', answer: { description: '', headers: ['x-nobody'] } } } as const;
  t.throws(() => describe(paths, withHeader, introduction), { message: 'components.headers has no x-nobody' });
  const withParameter = { a: { credential: 'none', parameters: ['Nobody'], answer: { description: '' } } } as const;
  t.throws(() => describe(paths, withParameter, introduction), { message: 'components.parameters has no Nobody' });
});

test('path parameters come before those of the notes', async (t) => {
  const id = { name: 'id', in: 'path', required: true, description: 'Which one.', schema: { type: 'string' } } as const;
  const paths = { '/{id}': { get: { operationId: 'one', parameters: [id], responses: { 200: { description: '' } } } } };
  const notes = { one: { credential: 'none', parameters: ['CartesiaVersion'], answer: { description: '' } } } as const;
  t.strictSame(describe(paths, notes, introduction).paths['/{id}']?.['get']?.parameters, [
    id,
    { $ref: '#/components/parameters/CartesiaVersion' },
  ]);
});

/** The routes that Fastify itself announces, except the preflight handler. */
async function routesOfApp(): Promise<ReadonlySet<string>> {
  const routes = new Set<string>();
  const watch = (message: unknown): void => {
    const { fastify } = message as { fastify: FastifyInstance }; // documented payload of the channel
    fastify.addHook('onRoute', ({ method, url }) => {
      for (const one of [method].flat()) if (one !== 'OPTIONS') routes.add(`${one} ${url.replace(':id', '{id}')}`);
    });
  };
  subscribe('fastify.initialization', watch);
  const app = await buildApp(appParts());
  unsubscribe('fastify.initialization', watch);
  await app.ready();
  await app.close();
  return routes;
}
