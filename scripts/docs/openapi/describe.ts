// Combines routes and notes into the whole OpenAPI document.
import { PROBLEMS, Problem, type ProblemCode } from '../../../src/errors/problems.ts';
import { errorHeaders } from '../../../src/errors/wire.ts';
import type {
  Answer,
  Example,
  MediaType,
  OpenApiDocument,
  Operation,
  Parameter,
  Reference,
  Schema,
} from '../../../src/reference/openapi-document.ts';
import {
  ERROR_EXAMPLES,
  ERROR_SCHEMA,
  HEADERS,
  HEADERS_EVERYWHERE,
  PARAMETERS,
  SECURITY_SCHEMES,
} from './components.ts';
import { type EndpointNotes, PROBLEMS_EVERYWHERE } from './notes.ts';

/** What a route says about itself, as @fastify/swagger writes it. */
export interface RouteOperation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  /** The parameters of the path. */
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, MediaType>> };
  readonly responses: Readonly<Record<string, Answer>>;
}

export type RoutePaths = Readonly<Record<string, Readonly<Record<string, RouteOperation>>>>;

/** Head of the document. */
export type Introduction = Pick<OpenApiDocument, 'info' | 'servers' | 'tags'>;

/**
 * @throws Error for a route without notes and for notes without a route
 */
export function describe(
  paths: RoutePaths,
  notes: Readonly<Record<string, EndpointNotes>>,
  introduction: Introduction,
): OpenApiDocument {
  const schemas: Record<string, Schema> = {};
  const unused = new Set(Object.keys(notes));
  const described: Record<string, Record<string, Operation>> = {};
  for (const [path, operations] of Object.entries(paths)) {
    const item: Record<string, Operation> = {};
    for (const [method, operation] of Object.entries(operations)) {
      const { operationId = '(none)' } = operation;
      const note = notes[operationId];
      if (note === undefined) throw new Error(`no notes on operation ${operationId}: ${method.toUpperCase()} ${path}`);
      unused.delete(operationId);
      item[method] = describeOperation(operationId, operation, note, schemas);
    }
    described[path] = item;
  }
  if (unused.size > 0) throw new Error(`notes on operations that no route has: ${[...unused].join(', ')}`);
  return {
    openapi: '3.1.0',
    ...introduction,
    paths: described,
    components: {
      securitySchemes: SECURITY_SCHEMES,
      schemas: { ...schemas, Error: ERROR_SCHEMA },
      parameters: PARAMETERS,
      headers: HEADERS,
      examples: ERROR_EXAMPLES,
    },
  };
}

function describeOperation(
  operationId: string,
  route: RouteOperation,
  note: EndpointNotes,
  schemas: Record<string, Schema>,
): Operation {
  const { summary = operationId, tags = [], requestBody, responses } = route;
  const description = [note.description, route.description].filter((text) => text !== undefined).join('\n\n');
  const named = note.parameters ?? [];
  const isNamed = ({ name }: Parameter): boolean => named.some((one) => PARAMETERS[one]?.name === name);
  const parameters = [
    ...(route.parameters ?? []).filter((parameter) => !isNamed(parameter)),
    ...named.map((name) => reference('parameters', name, PARAMETERS)),
  ];
  const success = responses['200'];
  if (success === undefined) throw new Error(`operation ${operationId} does not say what it answers`);
  return {
    operationId,
    summary,
    ...(description === '' ? {} : { description }),
    tags,
    security: note.credential === 'none' ? [] : Object.keys(SECURITY_SCHEMES).map((name) => ({ [name]: [] })),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(note.body === undefined ? {} : { requestBody: { required: true, content: note.body } }),
    ...(requestBody === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: withNames(requestBody.content, note.bodyName, note.bodyExamples, schemas),
          },
        }),
    responses: {
      200: {
        description: note.answer.description,
        headers: headerReferences([...HEADERS_EVERYWHERE, ...(note.answer.headers ?? [])]),
        ...(note.answer.content === undefined ? {} : { content: note.answer.content }),
        ...(success.content === undefined
          ? {}
          : { content: withNames(success.content, note.answer.name, note.answer.examples, schemas) }),
      },
      ...failures([...PROBLEMS_EVERYWHERE, ...(note.problems ?? [])], note),
      ...(note.otherFailures === undefined ? {} : { default: otherFailure(note.otherFailures) }),
    },
    ...(note.samples === undefined ? {} : { 'x-codeSamples': note.samples }),
  };
}

/** Moves a schema that has a name to the shared ones. */
function withNames(
  content: Readonly<Record<string, MediaType>>,
  name: string | undefined,
  examples: Readonly<Record<string, Example>> | undefined,
  schemas: Record<string, Schema>,
): Readonly<Record<string, MediaType>> {
  const named = Object.entries(content).map(([type, { schema }]): [string, MediaType] => {
    if (name !== undefined) schemas[name] = schema;
    return [
      type,
      {
        schema: name === undefined ? schema : { $ref: `#/components/schemas/${name}` },
        ...(examples === undefined ? {} : { examples }),
      },
    ];
  });
  return Object.fromEntries(named);
}

/** One response per status, one example per code. */
function failures(codes: readonly ProblemCode[], note: EndpointNotes): Readonly<Record<string, Answer>> {
  const statuses = [...new Set(codes.map((code) => PROBLEMS[code].status))].sort((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const same = codes.filter((code) => PROBLEMS[code].status === status);
      return [String(status), failure(same, note)];
    }),
  );
}

function failure(codes: readonly ProblemCode[], note: EndpointNotes): Answer {
  const headers = new Set(HEADERS_EVERYWHERE);
  for (const code of codes) {
    for (const name of Object.keys(errorHeaders(new Problem(code)))) headers.add(name);
    if (
      note.otherFailures !== undefined ||
      (note.answer.headers?.includes('cartesia-request-id') && FROM_UPSTREAM.has(code))
    )
      headers.add('cartesia-request-id');
    if (SOMETIMES_WITH_A_WAIT.has(code)) headers.add('retry-after');
    if (code === 'rate_limited') for (const name of RATE_HEADERS) headers.add(name);
  }
  if (note.answer.headers?.includes('ratelimit-limit') && codes.some((code) => !BEFORE_ADMISSION.has(code)))
    for (const name of RATE_HEADERS) headers.add(name);
  return {
    description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code].when}`).join('\n\n'),
    headers: headerReferences([...headers].sort()),
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/Error' },
        examples: Object.fromEntries(codes.map((code) => [code, reference('examples', code, ERROR_EXAMPLES)])),
      },
    },
  };
}

function otherFailure(description: string): Answer {
  const headers = [
    ...HEADERS_EVERYWHERE,
    ...Object.keys(errorHeaders(new Problem('not_found'))),
    'cartesia-request-id',
  ];
  return {
    description,
    headers: headerReferences([...new Set(headers)].sort()),
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  };
}

/** Failures of a request before a rate is counted. */
const BEFORE_ADMISSION: ReadonlySet<ProblemCode> = new Set([
  'request_timeout',
  'expectation_failed',
  'headers_too_large',
]);

/** Errors that Cartesia itself may have caused, under its own request id. */
const FROM_UPSTREAM: ReadonlySet<ProblemCode> = new Set([
  'quota_exceeded',
  'rate_limited',
  'concurrency_limited',
  'upstream_unavailable',
  'upstream_rejected',
]);
/** A spent budget and an open circuit breaker may come with a wait. */
const SOMETIMES_WITH_A_WAIT: ReadonlySet<ProblemCode> = new Set(['quota_exceeded', 'upstream_unavailable']);
const RATE_HEADERS = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'];

function headerReferences(names: readonly string[]): Readonly<Record<string, Reference>> {
  return Object.fromEntries(names.map((name) => [name, reference('headers', name, HEADERS)]));
}

function reference(kind: string, name: string, known: Readonly<Record<string, unknown>>): Reference {
  if (!Object.hasOwn(known, name)) throw new Error(`components.${kind} has no ${name}`);
  return { $ref: `#/components/${kind}/${name}` };
}
