// docs/openapi.json for tests, with every reference resolved.
import { Validator } from '@seriousme/openapi-schema-validator';
import type {
  Example,
  Header,
  MediaType,
  OpenApiDocument,
  Operation,
  Parameter,
} from '../../src/reference/openapi-document.ts';

export interface ResolvedMedia extends MediaType {
  readonly examples?: Readonly<Record<string, Example>>;
}

export interface ResolvedAnswer {
  readonly headers?: Readonly<Record<string, Header>>;
  readonly content?: Readonly<Record<string, ResolvedMedia>>;
}

export interface ResolvedOperation extends Omit<Operation, 'responses' | 'requestBody' | 'parameters'> {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, ResolvedMedia>> };
  readonly responses: Readonly<Record<string, ResolvedAnswer>>;
}

export interface ResolvedEndpoint {
  /** Upper case. */
  readonly method: string;
  readonly path: string;
  readonly operation: ResolvedOperation;
}

/** @throws Error for a document that is not OpenAPI 3.1 */
export async function resolvedEndpoints(document: OpenApiDocument): Promise<readonly ResolvedEndpoint[]> {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(structuredClone({ ...document }));
  if (!valid || validator.version !== '3.1') throw new Error(`no OpenAPI 3.1: ${JSON.stringify(errors)}`);
  const { paths } = validator.resolveRefs() as { paths: Record<string, Record<string, ResolvedOperation>> }; // validated
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
}
