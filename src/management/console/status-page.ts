// The console's first page: how this replica is, and who uses the account's concurrency.
import { Problem } from '../../errors/problems.ts';
import { type Html, html } from '../../html/html.ts';
import type { Leases } from '../../limits/leases.ts';
import type { Readiness } from '../../listener/readiness.ts';
import type { LeaseKind, PoolView } from '../../store/lease-rules.ts';
import type { ProbeDetails } from '../probes.ts';
import type { Page } from './page.ts';
import { age, replicaName, table } from './table.ts';

type Pools = Awaited<ReturnType<Leases['view']>>;

export interface Status {
  readonly readiness: Readiness;
  readonly details: ProbeDetails;
  /** The leases of all replicas, or why they are not known. */
  readonly pools: Pools | Problem;
  readonly limits: Leases['limits'];
}

const KINDS: Readonly<Record<LeaseKind, string>> = {
  tts: 'speech',
  stt: 'transcription',
  agent: 'agent call',
  tts_socket: 'TTS socket',
};

export function statusPage({ readiness, details, pools, limits }: Status): Page {
  const { state, strain } = readiness;
  return {
    title: 'Status',
    content: html`
  <h2>This replica</h2>
  <dl>
    ${fact('state', strain === null ? state : `${state}, overloaded (${strain})`)}
    ${fact('redis', details.store)}
  </dl>
  <h2>Its mints at Cartesia</h2>
  <dl>${Object.entries(details.upstream).map(([name, value]) => fact(name.replaceAll('_', ' '), textOf(value)))}</dl>
  <h2>Concurrency of the account</h2>
  ${pools instanceof Problem ? html`<p class="bad">The leases are not known. ${pools.message}</p>` : concurrency(pools, limits)}`,
  };
}

function concurrency(byKind: Pools, limits: Leases['limits']): Html {
  const pools = Object.entries(byKind) as [LeaseKind, PoolView][]; // its keys are the kinds
  if (pools.length === 0) return html`<p>Nothing limits it: no lease is needed.</p>`;
  return html`
  ${table(
    'Leases of all replicas',
    ['Kind', 'In use', 'Limit', 'Waiting'],
    pools,
    ([kind, { leases, waiting, loweredTo }]) => [
      KINDS[kind],
      leases.length,
      html`${limits.get(kind) ?? 'none'}${loweredTo === null ? null : `, lowered to ${loweredTo} because Cartesia refused`}`,
      waiting,
    ],
  )}
  ${table(
    'Who holds them',
    ['Kind', 'Client app', 'Subject', 'For', 'Replica'],
    pools.flatMap(([kind, { leases }]) => leases.map((lease) => ({ kind, ...lease }))),
    ({ kind, client, subject, ageMs, owner }) => [KINDS[kind], client, subject, age(ageMs), replicaName(owner)],
  )}`;
}

function fact(name: string, value: string): Html {
  return html`<div><dt>${name}</dt><dd>${value}</dd></div>`;
}

function textOf(value: unknown): string {
  if (value === null) return 'none yet';
  if (typeof value !== 'object') return String(value);
  return Object.entries(value)
    .map(([name, part]) => `${part} ${name}`)
    .join(', ');
}
