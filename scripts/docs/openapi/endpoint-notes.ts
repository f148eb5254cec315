// What the routes' schemas cannot say: by operation id, so that a route without notes stops the generator.
import type { ProblemCode } from '../../../src/errors/problems.ts';
import type { CodeSample, Example, MediaType } from '../../../src/reference/openapi-document.ts';
import { CARRIED_NOTES } from './carried-notes.ts';
import { MINT_NOTES } from './mint-notes.ts';

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

export const ENDPOINT_NOTES: Readonly<Record<string, EndpointNotes>> = {
  mintAccessToken: MINT_NOTES,
  ...CARRIED_NOTES,
  status: {
    credential: 'none',
    description: 'For the health checks of SDKs and monitors. The answer says nothing about the state of Cartesia.',
    answer: {
      description: 'The broker runs.',
      name: 'Status',
      examples: { status: { summary: 'Status', value: { ok: true, version: '2026-03-01' } } },
    },
  },
  live: {
    credential: 'none',
    description: 'For a supervisor: no answer means that the process should be started anew.',
    answer: {
      description: 'The process runs.',
      name: 'Probe',
      examples: { live: { summary: 'It runs', value: { status: 'live' } } },
      headers: ['cache-control'],
    },
  },
  ready: {
    credential: 'none',
    description:
      'For a load balancer: 503 means that this replica is starting or shutting down and wants no new traffic. What still arrives is served.',
    answer: {
      description: 'Traffic is welcome.',
      name: 'Probe',
      examples: { ready: { summary: 'It is ready', value: { status: 'ready' } } },
      headers: ['cache-control'],
    },
    problems: ['draining', 'overloaded'],
  },
  openApiDocument: {
    credential: 'none',
    description: 'What you are reading, as OpenAPI 3.1: for code generators, gateways and other viewers.',
    answer: { description: 'An OpenAPI 3.1 document.', headers: ['cache-control'] },
  },
  referencePage: {
    credential: 'none',
    description: 'What you are reading, as a page. It holds no script and loads nothing.',
    answer: { description: 'An HTML page.', headers: ['cache-control'] },
  },
};
