// Schemas of routes describe (they become the OpenAPI document); they neither check nor reshape what passes.
import type { FastifyServerOptions } from 'fastify';

type SchemaController = NonNullable<FastifyServerOptions['schemaController']>;
type Compilers = NonNullable<SchemaController['compilersFactory']>;

/**
 * For Fastify's `schemaController`. Bodies are checked by the route that reads them, field by field (ADR 0006), and answers are
 * written as they are. Set here rather than by `setValidatorCompiler`, because Fastify loads Ajv and its own serialiser,
 * 13 ms of every start, wherever nobody has brought others by then. The build leaves both out.
 */
export const noCompilers: SchemaController = {
  compilersFactory: {
    // Typed for what Ajv makes; of that, Fastify only calls the function.
    buildValidator: (() => () => () => true) as unknown as Compilers['buildValidator'],
    buildSerializer: () => () => JSON.stringify,
  } as Compilers,
};
