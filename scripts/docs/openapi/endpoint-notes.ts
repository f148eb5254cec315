// What the routes' schemas cannot say, by operation id; a route without notes stops the generator.
import { CARRIED_NOTES } from './carried-notes.ts';
import { MINT_NOTES } from './mint-notes.ts';
import type { EndpointNotes } from './notes.ts';

export const ENDPOINT_NOTES: Readonly<Record<string, EndpointNotes>> = {
  mintAccessToken: MINT_NOTES,
  ...CARRIED_NOTES,
  status: {
    credential: 'none',
    description: 'For the health checks of SDKs and monitors. The response says nothing about the state of Cartesia.',
    answer: {
      description: 'The broker is running.',
      name: 'Status',
      examples: { status: { summary: 'Status', value: { ok: true, version: '2026-03-01' } } },
    },
  },
  live: {
    credential: 'none',
    description: 'For a supervisor: no response means that the process should be restarted.',
    answer: {
      description: 'The process is running.',
      name: 'Probe',
      examples: { live: { summary: 'It is running', value: { status: 'live' } } },
      headers: ['cache-control'],
    },
  },
  ready: {
    credential: 'none',
    description:
      'For a load balancer: 503 means that this replica is starting, overloaded or shutting down, and should get no new traffic. Requests that still arrive are served where possible.',
    answer: {
      description: 'The replica is ready for traffic.',
      name: 'Probe',
      examples: { ready: { summary: 'It is ready', value: { status: 'ready' } } },
      headers: ['cache-control'],
    },
    problems: ['draining', 'overloaded'],
  },
  openApiDocument: {
    credential: 'none',
    description: 'This reference as OpenAPI 3.1, for code generators, gateways and other viewers.',
    answer: { description: 'An OpenAPI 3.1 document.', headers: ['cache-control'] },
  },
  referencePage: {
    credential: 'none',
    description: 'This reference as a page, without scripts and without anything to load.',
    answer: { description: 'An HTML page.', headers: ['cache-control', 'content-security-policy'] },
  },
};
