// GET /openapi.json and GET /docs: the contract, readable by programs and by people.
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { loadOpenApiDocument } from './openapi-document.ts';

/** The page has no scripts and loads nothing, so nothing is allowed. */
const PAGE_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const CACHE = 'public, max-age=300';

export async function referenceRoutes(app: FastifyInstance): Promise<void> {
  // Made once, by the first request, and as bytes: anyone may ask, so repeated requests must cost next to nothing. Encoding texts of
  // this size for each response was nearly all that a response cost.
  let json: Promise<Buffer> | undefined;
  let page: Promise<Buffer> | undefined;

  app.get(
    '/openapi.json',
    {
      exposeHeadRoute: true,
      schema: {
        operationId: 'openApiDocument',
        summary: 'This reference, for programs',
        tags: ['reference'],
        response: { 200: Type.Object({}, { description: 'An OpenAPI 3.1 document.' }) },
      },
    },
    async (_request, reply) => {
      json ??= loadOpenApiDocument().then((document) => Buffer.from(JSON.stringify(document)));
      reply.type('application/json; charset=utf-8').header('cache-control', CACHE);
      return json;
    },
  );
  app.get(
    '/docs',
    {
      exposeHeadRoute: true,
      schema: {
        operationId: 'referencePage',
        summary: 'This reference, for people',
        tags: ['reference'],
        response: {
          200: { description: 'A page without scripts.', content: { 'text/html': { schema: Type.String() } } },
        },
      },
    },
    async (_request, reply) => {
      page ??= renderPage();
      reply
        .type('text/html; charset=utf-8')
        .header('cache-control', CACHE)
        .header('content-security-policy', PAGE_POLICY);
      return page;
    },
  );
}

/** A process that nobody asks for the page loads neither the document nor the code that renders it. */
async function renderPage(): Promise<Buffer> {
  const [document, { referencePage }] = await Promise.all([loadOpenApiDocument(), import('./page.ts')]);
  return Buffer.from(referencePage(document));
}
