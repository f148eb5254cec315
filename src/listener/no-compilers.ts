// Keeps route schemas purely descriptive (they become the OpenAPI document): they neither check nor reshape data.
import type { FastifyServerOptions } from 'fastify';

type SchemaController = NonNullable<FastifyServerOptions['schemaController']>;
type Compilers = NonNullable<SchemaController['compilersFactory']>;

/**
 * For Fastify's `schemaController`. Bodies are checked by the route that reads them, field by field (ADR 0006), and responses are
 * written as they are. Set here rather than by `setValidatorCompiler`, because Fastify loads Ajv and its own serialiser,
 * 13 ms of every start, unless others are set by then. The build leaves both out.
 */
export const noCompilers: SchemaController = {
  compilersFactory: {
    // Typed as what Ajv makes, of which Fastify only calls the function.
    buildValidator: (() => () => () => true) as unknown as Compilers['buildValidator'],
    buildSerializer: () => () => JSON.stringify,
  } as Compilers,
};
