import { test } from 'tap';
import { appParts } from '../../scripts/docs/openapi/app-document.ts';
import { buildApp } from '../../src/app.ts';
import { loadOpenApiDocument } from '../../src/reference/openapi-document.ts';
import { referencePage } from '../../src/reference/page.ts';

test('GET /openapi.json serves the document without a credential', async (t) => {
  const app = await buildApp(appParts());
  t.teardown(() => app.close());
  for (const round of ['first', 'second']) {
    const { statusCode, headers, body } = await app.inject('/openapi.json');
    t.equal(statusCode, 200, round);
    t.equal(headers['content-type'], 'application/json; charset=utf-8');
    t.equal(headers['cache-control'], 'public, max-age=300');
    t.strictSame(JSON.parse(body), JSON.parse(JSON.stringify(await loadOpenApiDocument())));
  }
});

test('GET /docs serves the page, with a content security policy that forbids everything but inline styles', async (t) => {
  const app = await buildApp(appParts());
  t.teardown(() => app.close());
  for (const round of ['first', 'second']) {
    const { statusCode, headers, body } = await app.inject('/docs');
    t.equal(statusCode, 200, round);
    t.equal(headers['content-type'], 'text/html; charset=utf-8');
    t.equal(headers['cache-control'], 'public, max-age=300');
    t.equal(
      headers['content-security-policy'],
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    t.equal(headers['x-content-type-options'], 'nosniff');
    t.equal(body, referencePage(await loadOpenApiDocument()));
  }
});

test('document and page are serialized once, so that repeated requests delay nobody', async (t) => {
  const app = await buildApp(appParts());
  t.teardown(() => app.close());
  const payloads: unknown[] = [];
  app.addHook('onSend', (_request, _reply, payload, done) => {
    payloads.push(payload);
    done();
  });
  for (const url of ['/openapi.json', '/docs']) {
    payloads.length = 0;
    await app.inject(url);
    await app.inject(url);
    t.ok(Buffer.isBuffer(payloads[0]), url);
    t.equal(payloads[0], payloads[1]);
  }
});

test('document and page are read-only', async (t) => {
  const app = await buildApp(appParts());
  t.teardown(() => app.close());
  for (const url of ['/openapi.json', '/docs']) {
    for (const method of ['POST', 'PUT', 'DELETE'] as const) {
      t.equal((await app.inject({ method, url })).statusCode, 404, `${method} ${url}`);
    }
  }
});
