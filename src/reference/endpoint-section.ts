// One endpoint on the reference page: what it is for, what it takes, what it returns, what can go wrong.

import { type Html, html } from '../html/html.ts';
import { beside } from './beside.ts';
import { codeBlock, json } from './code-block.ts';
import { errorAnchor } from './error-table.ts';
import { type Direction, type Field, fieldList, objectFields } from './fields.ts';
import type { Answer, MediaType, OpenApiDocument, Operation, Parameter } from './openapi-document.ts';
import { inline, paragraphs } from './prose.ts';
import { resolve } from './references.ts';

export interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** Every endpoint, in the order of the document. */
export function endpointsOf(document: OpenApiDocument): readonly Endpoint[] {
  return Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}

export function endpointSection(document: OpenApiDocument, { method, path, operation }: Endpoint): Html {
  const { operationId, summary, description, security } = operation;
  return html`
<article class="endpoint" id="${operationId}" aria-labelledby="${operationId}-title">
  <h3 id="${operationId}-title"><a href="#${operationId}">${summary}</a></h3>
  <p class="route"><span class="method method-${method.toLowerCase()}">${method}</span> <code>${path}</code>${
    security.length === 0
      ? html`<span class="tag">no credential</span>`
      : html`<a class="tag" href="#credentials">credential required</a>`
  }</p>
  ${paragraphs(description)}
  ${requestPart(document, operation)}
  ${answersPart(document, operation)}
</article>`;
}

const PARAMETER_PLACES = [
  ['path', 'Path parameters'],
  ['query', 'Query parameters'],
  ['header', 'Request headers'],
] as const;

function requestPart(document: OpenApiDocument, { parameters = [], requestBody }: Operation): Html {
  const resolved = parameters.map((parameter) => resolve(document.components.parameters, parameter));
  const lists = PARAMETER_PLACES.map(([place, heading]) => {
    const list = fieldList(document, resolved.filter((parameter) => parameter.in === place).map(parameterField));
    return list === null ? null : html`<h4>${heading}</h4>${list}`;
  });
  return html`${lists}${
    requestBody === undefined
      ? null
      : Object.entries(requestBody.content).map(
          ([type, media]) =>
            html`<h4>Request body <span class="type">${type}</span></h4>${content(document, 'request', media)}`,
        )
  }`;
}

function parameterField({ name, schema, required, description, example }: Parameter): Field {
  const note = example === undefined ? null : `such as ${String(example)}`;
  return { name, schema, mark: required ? 'required' : null, description, note };
}

function answersPart(document: OpenApiDocument, { responses }: Operation): Html {
  const answers = Object.entries(responses);
  const successes = answers.filter(([status]) => Number(status) < 400);
  const failures = answers.filter(([status]) => !(Number(status) < 400)); // `default` is one
  return html`${successes.map(([status, answer]) => success(document, status, answer))}${
    failures.length === 0
      ? null
      : html`<details><summary>What can go wrong</summary><dl class="failures">${failures.map(([status, answer]) => failure(status, answer))}</dl></details>`
  }`;
}

function success(
  document: OpenApiDocument,
  status: string,
  { description, headers = {}, content: media = {} }: Answer,
): Html {
  const fields = Object.entries(headers).map(([name, header]): Field => {
    const found = resolve(document.components.headers, header);
    return { name, schema: found.schema, mark: null, description: found.description, note: null };
  });
  return html`${Object.entries(media).map(
    ([type, one]) =>
      html`<h4>Response ${status} <span class="type">${type}</span></h4>${paragraphs(description)}${content(document, 'answer', one)}`,
  )}${fields.length === 0 ? null : html`<details><summary>Response headers</summary>${fieldList(document, fields)}</details>`}`;
}

/** Fields on one side, examples on the other, where there are both. */
function content(document: OpenApiDocument, direction: Direction, { schema, examples = {} }: MediaType): Html {
  const fields = fieldList(document, objectFields(document, schema, direction));
  const blocks = Object.values(examples)
    .map((example) => resolve(document.components.examples, example))
    .map(({ summary, value }) => codeBlock(inline(summary), json(value)));
  return beside(fields, blocks);
}

/** The codes are explained once, in the table of errors. */
function failure(status: string, { description, content: media = {} }: Answer): Html {
  if (status === 'default') return html`<div><dt>other</dt><dd>${paragraphs(description)}</dd></div>`;
  const codes = Object.values(media).flatMap(({ examples = {} }) => Object.keys(examples));
  return html`<div><dt>${status}</dt><dd>${codes.map((code) => html`<a href="#${errorAnchor(code)}"><code>${code}</code></a> `)}</dd></div>`;
}
