// The calls of the control listener, as a table.

import type { Controlled } from '../controlled.ts';
import type { FaultHandle } from '../faults.ts';
import { isRecord } from '../is-record.ts';
import { GRANTS, type Grants } from '../settings.ts';
import { parseFaultRule } from './fault-rule.ts';

export interface ControlCall {
  readonly query: URLSearchParams;
  /** The parsed JSON body, undefined if there is none. */
  readonly body: unknown;
  /** The path segment after the resource. */
  readonly id: string | null;
}

export interface ControlAnswer {
  readonly status: number;
  readonly body?: unknown;
}

/** A request that cannot be carried out; the message says why. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}

type Action = (simulator: Controlled, call: ControlCall) => ControlAnswer;

/** Keys are `METHOD /resource`, followed by `/{id}` if the call needs one. */
export const CONTROL_API: Readonly<Record<string, Action>> = {
  'GET /settings': ({ settings }) => ({ status: 200, body: settings }),
  'PUT /settings': (simulator, { body }) => {
    simulator.configure(body as Parameters<Controlled['configure']>[0]);
    return { status: 200, body: simulator.settings };
  },
  'GET /faults': ({ faults }) => ({ status: 200, body: faults.list() }),
  'POST /faults': ({ faults }, { body }) => {
    const { id }: FaultHandle = faults.add(parseFaultRule(body));
    return { status: 201, body: { id } };
  },
  'DELETE /faults': ({ faults }) => {
    faults.clear();
    return { status: 204 };
  },
  'DELETE /faults/{id}': ({ faults }, { id }) => ({ status: faults.remove(Number(id)) ? 204 : 404 }),
  'GET /journal': ({ journal }, { query }) => {
    const { method, path, ...unknown } = Object.fromEntries(query);
    const [stranger] = Object.keys(unknown);
    if (stranger !== undefined) throw new ControlError(`unknown parameter: ${stranger}`);
    const filter = { ...(method === undefined ? {} : { method }), ...(path === undefined ? {} : { path }) };
    return { status: 200, body: journal.entries(filter) };
  },
  'DELETE /journal': ({ journal }) => {
    journal.clear();
    return { status: 204 };
  },
  'GET /counters': (simulator) => ({ status: 200, body: simulator.counters() }),
  'DELETE /counters': (simulator) => {
    simulator.resetCounters();
    return { status: 204 };
  },
  'GET /clock': (simulator) => ({ status: 200, body: timeOf(simulator) }),
  'POST /clock': (simulator, { body }) => {
    const ms = numberIn(body, 'advanceMs');
    const { clock } = simulator;
    if (Number.isNaN(new Date(clock.now() + ms).valueOf())) throw new ControlError('advanceMs must lead to a date');
    clock.advance(ms);
    return { status: 200, body: timeOf(simulator) };
  },
  'POST /tokens': (simulator, { body }) => ({ status: 200, body: { token: simulator.mintToken(tokenWish(body)) } }),
};

function tokenWish(body: unknown = {}): NonNullable<Parameters<Controlled['mintToken']>[0]> {
  const { seconds, grants, ...unknown } = fieldsIn(body, 'a wish for a token');
  const [stranger] = Object.keys(unknown);
  if (stranger !== undefined) throw new ControlError(`unknown field: ${stranger}`);
  return {
    ...(grants === undefined ? {} : { grants: grantsIn(grants) }),
    ...(seconds === undefined ? {} : { seconds: numberIn(body, 'seconds') }),
  };
}

function grantsIn(value: unknown): Partial<Grants> {
  const grants = fieldsIn(value, 'grants');
  for (const [name, flag] of Object.entries(grants)) {
    if (!GRANTS.some((known) => known === name)) throw new ControlError(`unknown grant: ${name}`);
    if (typeof flag !== 'boolean') throw new ControlError(`grants.${name} must be a boolean`);
  }
  return grants;
}

function fieldsIn(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (isRecord(value)) return value;
  throw new ControlError(`${what} must be an object`);
}

function timeOf({ clock }: Controlled): object {
  return { now: new Date(clock.now()).toISOString(), offsetMs: clock.offsetMs };
}

function numberIn(body: unknown, name: string): number {
  const value = isRecord(body) ? body[name] : undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new ControlError(`${name} must be a number`);
  return value;
}
