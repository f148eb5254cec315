// The control listener: the in-process API over HTTP, for tests in other processes and other languages.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Controlled } from '../controlled.ts';
import { SettingsError } from '../settings-patch.ts';
import { CONTROL_API, type ControlAnswer, ControlError } from './control-api.ts';
import { FaultRuleError } from './fault-rule.ts';

/** Listens for control requests. It asks for no credential: keep it on the loopback interface. */
export async function startControlServer(
  simulator: Controlled,
  address: { readonly host: string; readonly port: number },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    serve(simulator, request)
      .catch(answerFor)
      .then(({ status, body }) => send(response, status, body));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(address.port, address.host, resolve);
  await promise;
  return { port: portOf(server), close: () => closeServer(server) };
}

async function serve(simulator: Controlled, request: IncomingMessage): Promise<ControlAnswer> {
  // Any web page could reach a loopback port from a browser; none has business here.
  if (request.headers.origin !== undefined) return { status: 403, body: { error: 'not for browsers' } };
  const url = new URL(request.url ?? '/', 'http://control');
  const [, resource = '', id = null] = url.pathname.split('/');
  const action = CONTROL_API[`${request.method} /${resource}${id === null ? '' : '/{id}'}`];
  if (action === undefined)
    return { status: 404, body: { error: 'unknown control request', known: Object.keys(CONTROL_API) } };
  return action(simulator, { query: url.searchParams, body: await readJson(request), id });
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new ControlError('the body is not JSON');
  }
}

function answerFor(error: unknown): ControlAnswer {
  const known = error instanceof SettingsError || error instanceof FaultRuleError || error instanceof ControlError;
  return { status: known ? 400 : 500, body: { error: error instanceof Error ? error.message : String(error) } };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (body === undefined) response.writeHead(status).end();
  else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP listener');
  return address.port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
