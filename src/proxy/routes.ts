// Registers the routes for Cartesia's HTTP endpoints and checks, meters and carries their requests.
import type { FastifyInstance, FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import { type Admission, admitted } from '../admission/admitted.ts';
import type { Config } from '../config/config.ts';
import { Problem } from '../errors/problems.ts';
import type { Limits } from '../limits/limits.ts';
import { leaveBody } from '../listener/unread-body.ts';
import { checkContent } from '../policy/content.ts';
import { checkEndpoint } from '../policy/endpoint.ts';
import { ENDPOINTS, type Endpoint, isId } from '../upstream/endpoints.ts';
import { bytesPerSecond, countCharacters, noUsage, type Usage } from '../usage/units.ts';
import { carriedBodies, isJsonBody, type JsonBody, readJsonBody } from './bodies.ts';
import type { Carrier } from './carrier.ts';
import { carryLimited } from './carry-limited.ts';
import type { CheckedRequest, UpstreamBody } from './checked-request.ts';
import { type CarriedForm, receiveForm } from './forms/form.ts';
import { readGeneration } from './generation.ts';
import { type Target, targetOf } from './target.ts';
import { TranscriptionAnswer } from './transcription.ts';

export interface ProxyOptions {
  readonly upstream: Pick<Config['upstream'], 'version' | 'versionPolicy'>;
  readonly carrier: Carrier;
  readonly limits: Limits;
  /** Called with what each request consumed, when it is over. */
  readonly onUsage: (client: string, endpoint: string, usage: Usage) => void;
}

/** Runs before admission: a path with an invalid id does not exist, whoever asks. */
export function requireId(request: FastifyRequest, _reply: FastifyReply, done: HookHandlerDoneFunction): void {
  const { id } = request.params as { readonly id?: string }; // the table knows no other parameter
  if (id !== undefined && !isId(id)) throw new Problem('not_found');
  done();
}

/** One route per row of the endpoint table, in a scope that the admission hook guards. */
export async function proxyRoutes(app: FastifyInstance, options: ProxyOptions): Promise<void> {
  carriedBodies(app);
  // With a callback, not a promise: a second response sent while the promise is pending would be an uncaught error.
  app.addHook('onError', (request, reply, _error, done) => {
    leaveBody(request, reply);
    done();
  });
  for (const endpoint of ENDPOINTS) {
    app.route({
      method: endpoint.method,
      url: endpoint.path,
      ...(endpoint.bodyMaxBytes > 0 ? { bodyLimit: endpoint.bodyMaxBytes } : {}),
      schema: { operationId: operationId(endpoint), summary: endpoint.summary, tags: ['carried'] },
      handler: (request, reply) => forward(endpoint, request, reply, options),
    });
  }
}

function operationId({ method, path }: Endpoint): string {
  return `${method.toLowerCase()}${path.replace(/[^a-z]+/g, '_')}`;
}

/**
 * Checks an admitted request and has it carried.
 * @returns a promise if there is something to wait for; otherwise nothing, because Fastify would listen for the end of a reply that it is
 * given, which cost a carried request 2 % of its CPU time
 */
function forward(endpoint: Endpoint, request: FastifyRequest, reply: FastifyReply, options: ProxyOptions): unknown {
  const admission = admitted(request);
  const verdict = checkEndpoint(endpoint, admission.client, admission.principal.grants);
  if (verdict.outcome === 'denied') throw new Problem('endpoint_not_allowed', verdict.message);
  const target = targetOf(endpoint, request, options.upstream);
  switch (endpoint.transport) {
    case 'bytes':
    case 'sse':
      return onceRead(request, reply, endpoint, (body) => {
        const checked = generation(endpoint, admission, target, body, request, options);
        return carryLimited({
          ...options,
          endpoint,
          request,
          reply,
          amount: checked.characters,
          prepare: () => checked,
        });
      });
    case 'multipart':
      // The form is not read until there is a lease for it.
      return carryLimited({
        ...options,
        endpoint,
        request,
        reply,
        amount: 0,
        prepare: async () => {
          const form = await receiveForm(endpoint, admission, request, reply);
          return transcription(endpoint, admission, target, form, request, options);
        },
      });
    case 'read':
      options.carrier.carry(request, reply, {
        endpoint,
        ...target,
        body: NO_BODY,
        contextId: null,
        settle({ outcome }) {
          if (outcome !== 'refused') options.onUsage(admission.client.name, endpoint.path, noUsage());
        },
      });
      return undefined;
  }
}

/** Calls `use` at once if the body is parsed, as it almost always is. A promise must resolve to the reply, or Fastify sends an empty response. */
function onceRead(
  { body, headers }: FastifyRequest,
  reply: FastifyReply,
  { bodyMaxBytes }: Endpoint,
  use: (body: JsonBody) => Promise<unknown> | undefined,
): unknown {
  if (isJsonBody(body)) return use(body);
  return readJsonBody(body, headers['content-type'], bodyMaxBytes).then((read) => use(read) ?? reply);
}

const NO_BODY: UpstreamBody = { content: null, contentType: null, length: null };

function generation(
  endpoint: Endpoint,
  admission: Admission,
  target: Target,
  body: { readonly bytes: Buffer; readonly value: unknown },
  request: FastifyRequest,
  options: ProxyOptions,
): CheckedRequest & { readonly characters: number } {
  const { wish, format, contextId } = readGeneration(body.value);
  const verdict = checkContent(wish, admission.client.content);
  if (verdict.outcome === 'denied') throw new Problem('content_not_allowed', verdict.message);
  const characters = countCharacters(wish.transcript ?? '');
  return {
    endpoint,
    characters,
    ...target,
    body: { content: body.bytes, contentType: 'application/json', length: null },
    contextId,
    settle({ audioBytes, outcome }) {
      // Cartesia charges for what it generated, even if the client did not wait for the end, but not for what it refused.
      if (outcome === 'refused') return;
      const usage: Usage = { characters, audioBytes, audioSeconds: secondsOf(audioBytes, format) };
      request.record.usage = usage;
      options.onUsage(admission.client.name, endpoint.path, usage);
    },
  };
}

function transcription(
  endpoint: Endpoint,
  admission: Admission,
  target: Target,
  { content, length, recordings }: CarriedForm,
  request: FastifyRequest,
  options: ProxyOptions,
): CheckedRequest {
  const answer = new TranscriptionAnswer();
  return {
    endpoint,
    ...target,
    body: { content, contentType: null, length },
    contextId: null,
    observe: (chunk) => answer.push(chunk),
    settle({ outcome }) {
      if (outcome === 'refused') return;
      // Without a complete response, it was transcribed only if the whole form was received.
      const isWhole = outcome === 'answered' || content.writableFinished;
      const audioSeconds = answer.audioSeconds ?? (isWhole ? recordings.seconds : 0);
      const usage: Usage = { ...noUsage(), audioSeconds };
      request.record.usage = usage;
      options.onUsage(admission.client.name, endpoint.path, usage);
    },
  };
}

const WAV_HEADER_BYTES = 44;

function secondsOf(audioBytes: number, format: Parameters<typeof bytesPerSecond>[0]): number {
  const rate = bytesPerSecond(format);
  if (rate === null) return 0;
  return Math.max(0, audioBytes - (format.container === 'wav' ? WAV_HEADER_BYTES : 0)) / rate;
}
