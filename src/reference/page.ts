// Renders the contract as a page for people.
import { type Html, html } from '../html/html.ts';
import { htmlDocument } from '../html/html-document.ts';
import { beside } from './beside.ts';
import { codeBlock, json, source } from './code-block.ts';
import { type Endpoint, endpointSection, endpointsOf } from './endpoint-section.ts';
import { errorTable } from './error-table.ts';
import { fieldList, objectFields } from './fields.ts';
import type { OpenApiDocument } from './openapi-document.ts';
import { PAGE_STYLE } from './page-style.ts';
import { inline, paragraphs } from './prose.ts';

/** @returns a whole HTML document; every text of `document` is escaped */
export function referencePage(document: OpenApiDocument): string {
  const { info } = document;
  const endpoints = endpointsOf(document);
  const body = html`<a class="skip" href="#content">Skip to the content</a>
${navigation(document, endpoints)}
<main id="content">
  <header>
    <h1>${info.title} <span class="version">${info.version}</span></h1>
    <p class="lead">${inline(info.summary)}</p>
    ${paragraphs(info.description)}
  </header>
  ${firstToken(endpoints)}
  ${credentials(document)}
  ${document.tags.map(
    ({ name, description }) => html`
  <section id="tag-${name}" aria-labelledby="tag-${name}-title">
    <h2 id="tag-${name}-title">${heading(name)}</h2>
    ${paragraphs(description)}
    ${tagged(endpoints, name).map((endpoint) => endpointSection(document, endpoint))}
  </section>`,
  )}
  ${errors(document)}
</main>`;
  return htmlDocument({ title: `${info.title}: reference`, description: info.summary, style: PAGE_STYLE, body }).text;
}

function navigation(document: OpenApiDocument, endpoints: readonly Endpoint[]): Html {
  return html`<nav aria-label="On this page">
  <p class="brand"><a href="#content">${document.info.title}</a></p>
  <ul>
    <li><a href="#first-token">Your first token</a></li>
    <li><a href="#credentials">Credentials</a></li>
    ${document.tags.map(
      ({ name }) =>
        html`<li><a href="#tag-${name}">${heading(name)}</a><ul>${tagged(endpoints, name).map(
          ({ method, path, operation }) =>
            html`<li><a href="#${operation.operationId}"><span class="method method-${method.toLowerCase()}">${method}</span> <code>${path}</code></a></li>`,
        )}</ul></li>`,
    )}
    <li><a href="#errors">Errors</a></li>
  </ul>
  <p class="machine"><a href="openapi.json">openapi.json</a></p>
</nav>`;
}

/** Shows the code samples of the endpoints that have some. */
function firstToken(endpoints: readonly Endpoint[]): Html {
  const samples = endpoints.flatMap(({ operation }) => operation['x-codeSamples'] ?? []);
  return html`<section id="first-token" aria-labelledby="first-token-title">
    <h2 id="first-token-title">Your first token</h2>
    <p>No broker at hand? <code>npm run demo</code> starts one with a simulated Cartesia, needs no API key, and prints a credential to try this with.</p>
    <div class="samples">${samples.map((sample) => codeBlock(sample.label, source(sample.source)))}</div>
  </section>`;
}

function credentials({ components }: OpenApiDocument): Html {
  return html`<section id="credentials" aria-labelledby="credentials-title">
    <h2 id="credentials-title">Credentials</h2>
    <dl class="fields">${Object.values(components.securitySchemes).map(
      ({ scheme, name, description }) =>
        html`<div><dt><code>${scheme === undefined ? `${name ?? ''}: …` : `Authorization: ${heading(scheme)} …`}</code></dt><dd><p>${inline(description)}</p></dd></div>`,
    )}</dl>
  </section>`;
}

function errors(document: OpenApiDocument): Html {
  const { Error: schema } = document.components.schemas;
  const { rate_limited: example } = document.components.examples;
  return html`<section id="errors" aria-labelledby="errors-title">
    <h2 id="errors-title">Errors</h2>
    ${paragraphs(schema?.description)}
    ${beside(
      schema === undefined ? null : fieldList(document, objectFields(document, schema, 'answer')),
      example === undefined ? [] : [codeBlock(inline(example.summary), json(example.value))],
    )}
    ${errorTable()}
  </section>`;
}

function tagged(endpoints: readonly Endpoint[], tag: string): readonly Endpoint[] {
  return endpoints.filter(({ operation }) => operation.tags.includes(tag));
}

function heading(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
