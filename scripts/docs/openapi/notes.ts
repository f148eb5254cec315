// What can be said of a route beside its schema.
import type { ProblemCode } from '../../../src/errors/problems.ts';
import type { CodeSample, Example, MediaType } from '../../../src/reference/openapi-document.ts';

export interface EndpointNotes {
  /** Whether a caller has to say who it is. */
  readonly credential: 'required' | 'none';
  readonly description?: string;
  /** Names in `components.parameters`; one that stands for a parameter of the path says more of it. */
  readonly parameters?: readonly string[];
  /** The name that the schema gets in `components.schemas`, which is what generated clients call the type. */
  readonly bodyName?: string;
  readonly bodyExamples?: Readonly<Record<string, Example>>;
  /** The body by media type, where the route takes it unseen and has no schema for it. */
  readonly body?: Readonly<Record<string, MediaType>>;
  readonly answer: {
    readonly description: string;
    /** The answer by media type, where the route passes it on and has no schema for it. */
    readonly content?: Readonly<Record<string, MediaType>>;
    readonly name?: string;
    readonly examples?: Readonly<Record<string, Example>>;
    /** Names in `components.headers`, beside those that every answer has. */
    readonly headers?: readonly string[];
  };
  /** What can go wrong here, beside what can go wrong everywhere. */
  readonly problems?: readonly ProblemCode[];
  readonly samples?: readonly CodeSample[];
}

/** Found out before any route is asked. */
export const PROBLEMS_EVERYWHERE: readonly ProblemCode[] = [
  'invalid_request',
  'request_timeout',
  'expectation_failed',
  'headers_too_large',
  'internal_error',
];
