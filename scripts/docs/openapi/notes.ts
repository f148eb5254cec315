// The type of the notes on a route, for what its schema cannot say.
import type { ProblemCode } from '../../../src/errors/problems.ts';
import type { CodeSample, Example, MediaType } from '../../../src/reference/openapi-document.ts';

export interface EndpointNotes {
  /** Whether a caller must present a credential. */
  readonly credential: 'required' | 'none';
  readonly description?: string;
  /** Names in `components.parameters`; one that has the name of a path parameter replaces it. */
  readonly parameters?: readonly string[];
  /** The name that the schema gets in `components.schemas`, which is what generated clients call the type. */
  readonly bodyName?: string;
  readonly bodyExamples?: Readonly<Record<string, Example>>;
  /** The body by media type, for a route that passes it on unread and has no schema for it. */
  readonly body?: Readonly<Record<string, MediaType>>;
  readonly answer: {
    readonly description: string;
    /** The response by media type, for a route that passes it on and has no schema for it. */
    readonly content?: Readonly<Record<string, MediaType>>;
    readonly name?: string;
    readonly examples?: Readonly<Record<string, Example>>;
    /** Names in `components.headers`, besides those that every response has. */
    readonly headers?: readonly string[];
  };
  /** What can go wrong here, besides what can go wrong everywhere. */
  readonly problems?: readonly ProblemCode[];
  /** What a failure with any other status is, for a route that passes on Cartesia's. Any failure may then have Cartesia's request id. */
  readonly otherFailures?: string;
  readonly samples?: readonly CodeSample[];
}

/** Failures that can occur before a request reaches its route. */
export const PROBLEMS_EVERYWHERE: readonly ProblemCode[] = [
  'invalid_request',
  'request_timeout',
  'expectation_failed',
  'headers_too_large',
  'internal_error',
];
